-- Of the projection `history`: what happened to each account, event by event, as far as it concerns the box.
create table account_history (
    box_id blob not null,
    topic text not null,
    stream text not null,
    -- The version that the event gave its stream.
    version bigint not null,
    event_id blob not null,
    event_type text not null,
    region bigint not null,
    at bigint not null,
    device_id blob,
    -- What the event does to whose the stream's identifier is: 0 nothing, 1 the box has it from now on, 2 it has it no more.
    ownership bigint not null,
    data_hash blob not null,
    -- As it is in the log; null where the event tells of another box too.
    data blob,
    primary key (box_id, topic, stream, version)
);
create index account_history_by_owner on account_history (stream, version) where ownership > 0;

-- The boxes whose history is given no more, and goes.
create table history_closed (
    box_id blob not null primary key
);
