-- Conversations, with one box or in a group, and messages that go to many boxes.

create table conversations (
    key integer primary key,
    -- The other box of a direct one, which for what the own devices tell each other is the own box.
    peer blob unique,
    -- The id of a group's.
    group_id blob unique,
    check ((peer is null) <> (group_id is null))
) strict;

insert into conversations (peer) select distinct peer from messages;

-- Where a message is shown. `conversation` is the one in whose chain it stands, which for a copy of what another device has
-- sent is that of the own devices.
alter table messages add column thread integer references conversations (key);
update messages set thread = (select key from conversations where conversations.peer = messages.peer);
alter table messages drop column peer;
create index messages_by_thread on messages (thread, id);

-- To whom a message goes, and what became of it there.
create table recipients (
    message integer not null references messages (id) on delete cascade,
    box_id blob not null,
    state text not null check (state in ('pending', 'sent', 'failed')),
    accepted_at integer,
    -- Why it failed.
    reason text,
    primary key (message, box_id)
) strict, without rowid;

insert into recipients (message, box_id, state, accepted_at)
    select messages.id, conversations.peer, messages.state, messages.accepted_at
    from messages join conversations on conversations.key = messages.thread
    where messages.state in ('pending', 'sent', 'failed');

-- What is not known to be accepted, for each recipient: signed and sealed, or not sealed yet for want of a key to seal to.
create table outbox_of_each (
    box_id blob not null,
    message integer not null references messages (id) on delete cascade,
    expires_at integer not null,
    outer_id blob,
    value blob,
    primary key (box_id, message),
    check ((outer_id is null) = (value is null))
) strict;

insert into outbox_of_each (box_id, message, expires_at, outer_id, value)
    select conversations.peer, outbox.message, outbox.expires_at, outbox.outer_id, outbox.value
    from outbox join messages on messages.id = outbox.message join conversations on conversations.key = messages.thread;

drop table outbox;
alter table outbox_of_each rename to outbox;
