-- Groups. Who is in one follows from its changes alone.

-- The group in which a message was written that is to be receipted; none for one of the conversation with its author.
alter table owed_receipts add column group_id blob;

create table groups (
    group_id blob primary key,
    -- How the person stands to it: unknown as long as this box was never among its members.
    standing text not null check (standing in ('unknown', 'requested', 'joined', 'declined')),
    -- The change by which this box is a member, for which that was decided.
    member_by blob,
    decided_at integer not null,
    heard_at integer not null,
    -- The version of the own key record that was affirmed last to the group.
    affirmed integer not null default 0
) strict, without rowid;

create table group_changes (
    group_id blob not null references groups (group_id) on delete cascade,
    -- Parents have lower places.
    place integer not null,
    change blob not null, -- sealed
    taken_at integer not null,
    primary key (group_id, place)
) strict, without rowid;

-- Changes of which a parent or the author's key record has not come yet.
create table group_changes_waiting (
    id integer primary key,
    group_id blob not null references groups (group_id) on delete cascade,
    hash blob not null,
    change blob not null, -- sealed
    came_at integer not null,
    unique (group_id, hash)
) strict;

-- Verified messages that name changes which have not come yet.
create table group_messages_waiting (
    id integer primary key,
    group_id blob not null references groups (group_id) on delete cascade,
    sender blob not null,
    device blob not null,
    sequence integer not null,
    accepted_at integer not null,
    came_at integer not null,
    signed blob not null, -- sealed
    unique (group_id, sender, device, sequence)
) strict;

-- What stands around a group's message, beside what people read of it.
create table group_messages (
    message integer primary key references messages (id) on delete cascade,
    -- The heads and the messages that it names.
    frame blob not null, -- sealed
    -- As its sender signed it: whoever was told something else can be shown it. Erased after a month.
    signed blob, -- sealed
    came_at integer not null,
    -- Whether its author was known to be removed when it came.
    late integer not null check (late in (0, 1))
) strict;

-- The last message of each device in a group, and the last one that a message refers to.
create table group_chains (
    group_id blob not null references groups (group_id) on delete cascade,
    sender blob not null,
    device blob not null,
    last integer not null default 0,
    referred integer not null default 0,
    primary key (group_id, sender, device)
) strict, without rowid;

-- Messages that others refer to and that have not come.
create table group_messages_missing (
    group_id blob not null references groups (group_id) on delete cascade,
    sender blob not null,
    device blob not null,
    sequence integer not null,
    -- Who refers to it, and under which hash.
    by blob not null,
    hash blob not null, -- sealed
    since integer not null,
    told integer not null default 0 check (told in (0, 1)),
    primary key (group_id, sender, device, sequence, by)
) strict, without rowid;

-- When a member was asked last for what is missing here, and told what was missing there.
create table group_peers (
    group_id blob not null references groups (group_id) on delete cascade,
    box_id blob not null,
    asked_at integer,
    told_at integer,
    primary key (group_id, box_id)
) strict, without rowid;

-- What shows that a member told others something else.
create table group_evidence (
    id integer primary key,
    group_id blob not null,
    box_id blob not null,
    seen_at integer not null,
    evidence blob not null -- sealed
) strict;
