-- What a replay has built these tables of: up to when, as which region sees it, and of which box alone. No row in a server's own.
create table replayed (
    one bigint not null primary key check (one = 1),
    until bigint,
    region bigint not null,
    box_id blob,
    is_whole bigint not null
);
