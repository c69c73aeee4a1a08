//! All keys, as the help shows them.

/// A part of the screen, and what each key does there.
pub(in crate::person::chat) type Part = (&'static str, &'static [(&'static str, &'static str)]);

/// All keys, by the part of the screen that has them.
pub(in crate::person::chat) const KEYS: &[Part] = &[
    (
        "Everywhere",
        &[
            ("F1", "this help"),
            ("Tab, Shift-Tab", "to the next part: conversations, messages, what you write"),
            ("Esc", "back"),
            ("Ctrl-N, Ctrl-P", "the next conversation, the previous one"),
            ("F2", "warnings"),
            ("Ctrl-R", "try the connection now"),
            ("Ctrl-T", "files on their way: how far they are, stop one"),
            ("Ctrl-L", "draw the screen anew"),
            ("Ctrl-C, Ctrl-Q", "quit; what you were writing is kept"),
        ],
    ),
    (
        "Conversations and messages",
        &[
            ("?", "this help"),
            ("n", "begin a conversation"),
            ("i", "about the other one: devices, safety number, verify; about a group: its members"),
            ("g", "your groups: open, make, change one"),
            ("a", "accept a message request, or take part in a group"),
            ("b", "block, or take a block away"),
            ("s", "settings"),
            ("v", "your devices: link, name, remove"),
            ("w", "warnings"),
            ("q", "quit"),
        ],
    ),
    (
        "Conversations",
        &[
            ("Up, Down, k, j, PgUp, PgDn, Home, End", "choose one"),
            ("Enter, Right", "open it"),
            ("/", "search; Esc shows all again"),
            ("x", "decline a message request, or a group"),
            ("✓ and ! beside a time", "you have verified them; their address leads to another box now"),
        ],
    ),
    (
        "Messages",
        &[
            ("Up, Down, k, j, PgUp, PgDn, Home, End", "choose one"),
            ("Enter", "all about it"),
            ("r", "reply"),
            ("e", "edit your own"),
            ("x, Delete", "delete your own, for everyone"),
            ("+", "put an emoji on it, or take it away"),
            ("f", "send a file"),
            ("d", "save the file that came with it"),
            ("l", "send a place"),
        ],
    ),
    (
        "What you write",
        &[
            ("Enter", "send"),
            ("Alt-Enter, Ctrl-J", "a new line"),
            ("Ctrl-F", "send a file"),
            ("Up in the first row, PgUp", "to the messages"),
            ("Ctrl-Left, Ctrl-Right", "by words"),
            ("Home, End, Ctrl-A, Ctrl-E", "to the beginning of the line, to its end"),
            ("Ctrl-W, Ctrl-U, Ctrl-K", "erase a word, to the beginning of the line, to its end"),
            ("Ctrl-Z, Ctrl-Y", "undo, redo"),
            ("Esc", "leave an edit or a reply; then to the conversations"),
        ],
    ),
];
