-- What a person is writing to a conversation, kept until it is sent.
create table drafts (
    thread integer primary key references conversations (key),
    -- Its text, and which message it answers.
    draft blob not null
) strict;
