//! All keys, as the help shows them, and the commands that do the same, as `docs/CHAT.md` does.

/// A key, or several, what it does, and the commands that do the same.
#[derive(Debug, Clone, Copy)]
pub(in crate::person::chat) struct Key(
    pub(in crate::person::chat) &'static str,
    pub(in crate::person::chat) &'static str,
    pub(in crate::person::chat) &'static [&'static str],
);

/// A part of the screen, and what each key does there.
pub(in crate::person::chat) type Part = (&'static str, &'static [Key]);

/// What moves what is chosen.
const STEPS: &str = "Up, Down, k, j, PgUp, PgDn, Home, End";

/// All keys, by the part of the screen that has them.
pub(in crate::person::chat) const KEYS: &[Part] = &[
    (
        "Everywhere",
        &[
            Key("F1", "this help", &[]),
            Key("Tab, Shift-Tab", "to the next part: conversations, messages, what you write", &[]),
            Key("Esc", "back; q leaves a sheet too", &[]),
            Key("Ctrl-N, Ctrl-P", "the next conversation, the previous one", &[]),
            Key("F2", "warnings", &["inbox"]),
            Key("Ctrl-R", "try the connection now", &["inbox"]),
            Key("Ctrl-T", "files on their way: how far they are, stop one", &["uploads"]),
            Key("Ctrl-L", "draw the screen anew", &[]),
            Key("Ctrl-C, Ctrl-Q", "quit; what you were writing is kept", &[]),
        ],
    ),
    ("This help", &[Key(STEPS, "scroll", &[]), Key("c", "show the commands that do the same, or hide them", &[])]),
    (
        "Conversations and messages",
        &[
            Key("?", "this help", &[]),
            Key("n", "begin a conversation", &["send TO TEXT"]),
            Key(
                "i",
                "about the other one: devices, safety number, verify; about a group: its members",
                &["lookup WHO", "group members GROUP"],
            ),
            Key("g", "your groups: open, make, change one", &["group list"]),
            Key(
                "a",
                "accept a message request, or take part in a group",
                &["requests accept WHO", "group accept GROUP"],
            ),
            Key("b", "block, or take a block away", &["requests block WHO", "block WHO", "unblock WHO"]),
            Key("s", "settings", &["settings"]),
            Key("v", "your devices: link, name, remove", &["devices"]),
            Key("y", "you: your name and picture, your addresses", &["profile", "identifiers"]),
            Key("w", "warnings", &["inbox"]),
            Key("q", "quit", &[]),
        ],
    ),
    (
        "Conversations",
        &[
            Key(STEPS, "choose one", &["conversations"]),
            Key("Enter, Right", "open it", &["messages WHO"]),
            Key("/", "search; Esc shows all again", &[]),
            Key("x", "decline a message request, or a group", &["requests decline WHO", "group decline GROUP"]),
            Key("✓ and ! beside a time", "you have verified them; their address leads to another box now", &[]),
        ],
    ),
    (
        "Messages",
        &[
            Key(STEPS, "choose one", &["messages WHO"]),
            Key("Enter", "all about it", &["messages WHO"]),
            Key("r", "reply", &["send TO TEXT --reply-to MESSAGE"]),
            Key("e", "edit your own", &["edit MESSAGE TEXT"]),
            Key("x, Delete", "delete your own, for everyone", &["delete MESSAGE"]),
            Key("+", "put an emoji on it, or take it away", &["react MESSAGE EMOJI", "react MESSAGE EMOJI --remove"]),
            Key("f", "send a file", &["send TO --file PATH --caption TEXT"]),
            Key("d", "save the file that came with it", &["download MESSAGE --to PATH"]),
            Key("l", "send a place", &["send TO --location LAT,LON"]),
        ],
    ),
    (
        "What you write",
        &[
            Key("Enter", "send", &["send TO TEXT"]),
            Key("Alt-Enter, Ctrl-J", "a new line", &[]),
            Key("Ctrl-F", "send a file", &["send TO --file PATH --caption TEXT"]),
            Key("Up in the first row, PgUp", "to the messages", &[]),
            Key("Ctrl-Left, Ctrl-Right", "by words", &[]),
            Key("Home, End, Ctrl-A, Ctrl-E", "to the beginning of the line, to its end", &[]),
            Key("Ctrl-W, Ctrl-U, Ctrl-K", "erase a word, to the beginning of the line, to its end", &[]),
            Key("Ctrl-Z, Ctrl-Y", "undo, redo", &[]),
            Key("Esc", "leave an edit or a reply; then to the conversations", &[]),
        ],
    ),
    (
        "Files on their way",
        &[
            Key(STEPS, "choose one", &["uploads"]),
            Key(
                "x, Delete",
                "stop it; a file that came half-way goes on when it is saved again",
                &["uploads --cancel NUMBER"],
            ),
        ],
    ),
    (
        "Your groups",
        &[
            Key(STEPS, "choose one", &["group list"]),
            Key("Enter", "open it", &["messages GROUP"]),
            Key("i", "who is in it", &["group members GROUP"]),
            Key("n", "make a new one", &["group create NAME MEMBER"]),
        ],
    ),
    (
        "A group",
        &[
            Key(STEPS, "choose a member", &["group members GROUP"]),
            Key("Enter", "about the member: devices, safety number, verify", &["lookup WHO"]),
            Key("h", "what was done in it: who, what and when", &["group history GROUP"]),
            Key("a", "add people; where it asks you in, take part", &["group add GROUP MEMBER", "group accept GROUP"]),
            Key(
                "x",
                "remove a member; where it asks you in, don't",
                &["group remove GROUP MEMBER", "group decline GROUP"],
            ),
            Key(
                "m",
                "make a member an admin, or a plain member",
                &["group promote GROUP MEMBER", "group demote GROUP MEMBER"],
            ),
            Key("r", "give it another name", &["group rename GROUP NAME"]),
            Key("l", "leave it", &["group leave GROUP"]),
        ],
    ),
    (
        "About them",
        &[
            Key(
                "v",
                "take what they say: the digits of the safety number, or what a camera read",
                &["verify WHO --digits DIGITS", "verify WHO --scan TEXT"],
            ),
            Key("p", "show the code that their camera reads", &["verify WHO"]),
            Key("u", "take back that they are verified", &["verify WHO --unverify"]),
            Key("c", "take the box that their address leads to now for the right one", &["lookup WHO --accept-change"]),
        ],
    ),
    (
        "You",
        &[
            Key(STEPS, "choose an address", &["identifiers"]),
            Key("n", "what you call yourself", &["profile set --name NAME", "profile clear --name"]),
            Key("p", "a picture of you", &["profile set --picture FILE", "profile clear --picture"]),
            Key("a", "one more address, to which a code is sent", &["identifiers add ADDRESS"]),
            Key("c", "the code that came", &["identifiers confirm CODE", "identifiers confirm CODE --claim"]),
            Key("x", "take an address away", &["identifiers remove ADDRESS"]),
            Key("o", "object to somebody's claim of an address", &["identifiers object ADDRESS"]),
        ],
    ),
    (
        "Your devices",
        &[
            Key(STEPS, "choose one", &["devices"]),
            Key("l", "link a new one", &["devices add CODE"]),
            Key("r", "give it a name", &["devices name DEVICE NAME"]),
            Key("x", "remove it", &["devices remove DEVICE"]),
        ],
    ),
    (
        "Settings",
        &[
            Key(STEPS, "choose one", &["settings"]),
            Key(
                "Enter, Right, Space",
                "change it",
                &[
                    "settings --discoverable WHO",
                    "settings --accept-from WHO",
                    "settings --delivery-receipts ON",
                    "settings --read-receipts ON",
                    "settings --typing ON",
                ],
            ),
        ],
    ),
    (
        "Warnings",
        &[
            Key(STEPS, "choose one", &["inbox"]),
            Key("Enter, x, Delete", "it is not shown again", &["inbox"]),
            Key("X", "none of them is shown again", &["inbox"]),
        ],
    ),
    ("A device is being linked", &[Key("Esc", "wait for it no more", &[])]),
    (
        "Without an account",
        &[
            Key("l", "make this device one of an account that you have elsewhere", &["link"]),
            Key("Esc", "wait for the other device no more", &[]),
            Key("q", "quit", &[]),
        ],
    ),
    (
        "Questions",
        &[Key("Enter", "go on with what you have typed", &[]), Key("y", "yes", &[]), Key("n, Esc", "no", &[])],
    ),
];
