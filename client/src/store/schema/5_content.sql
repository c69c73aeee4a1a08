-- What messages say of each other, receipts, and how the person stands to others.

create index messages_by_id on messages (message_id);
-- What was not read yet is asked for often.
create index messages_unread on messages (thread, id) where state = 'new';
-- As a conversation is read: by when they were written, and no later than when they came.
create index messages_in_order on messages (thread, shown, min(time, coalesce(accepted_at, time)), message_id);

-- Which message an edit, a deletion or a reaction is about, whether that has come or not.
create table about (
    message integer primary key references messages (id) on delete cascade,
    thread integer not null references conversations (key),
    -- Who wrote the message that it is about, and its id.
    author blob not null,
    target blob not null
) strict;
create index about_by_target on about (thread, target, author);

-- What a recipient says became of a message, by that one's clock.
alter table recipients add column delivered_at integer;
alter table recipients add column read_at integer;

-- Receipts for messages that haven't come yet: another of the own devices has sent them.
create table early_receipts (
    box_id blob not null,
    thread integer not null references conversations (key),
    target blob not null,
    delivered_at integer,
    read_at integer,
    primary key (box_id, thread, target)
) strict, without rowid;

-- Receipts that are to be sent.
create table owed_receipts (
    box_id blob not null,
    message_id blob not null,
    state text not null check (state in ('delivered', 'read')),
    primary key (box_id, message_id)
) strict, without rowid;

-- What another of the own devices has read before it came here.
create table read_marks (
    author blob not null,
    message_id blob not null,
    primary key (author, message_id)
) strict, without rowid;

-- How the person stands to others. Who is in none of the rows is a stranger.
create table peers (
    box_id blob primary key,
    standing text not null check (standing in ('stranger', 'accepted', 'blocked')),
    changed_at integer not null,
    -- What the server had accepted from them by then was declined.
    declined_at integer
) strict, without rowid;

insert into peers (box_id, standing, changed_at)
    select distinct conversations.peer, 'accepted', 0
    from messages join device on messages.sender = device.box_id join conversations on conversations.key = messages.thread
    where messages.shown = 1 and conversations.peer <> device.box_id;

create table preferences (
    one integer primary key check (one = 1),
    delivery_receipts integer not null default 1 check (delivery_receipts in (0, 1)),
    read_receipts integer not null default 1 check (read_receipts in (0, 1)),
    receipts_changed_at integer not null default 0
) strict;
insert into preferences (one) values (1);

-- What devices tell each other is never unread.
update messages set state = 'read' where state = 'new' and shown = 0;
