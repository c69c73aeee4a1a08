-- Messages that an archive has brought. They are read, and nothing is said of them to anybody; they stand in no chain.
create table history (
    id integer primary key,
    thread integer not null references conversations (key),
    author blob not null,
    message_id blob not null,
    -- When it was written, by its author, and no later than the server had it.
    written integer not null,
    record blob not null, -- sealed
    unique (thread, author, message_id)
) strict;
create index history_in_order on history (thread, written, message_id);
