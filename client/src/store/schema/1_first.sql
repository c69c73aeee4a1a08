-- A device's local store. Columns that are said to be sealed are encrypted under the store's key (src/vault).

create table home (
    one integer primary key check (one = 1),
    server text not null,
    -- Argon2id's salt and costs; null where a key file locks the store.
    salt blob,
    memory_kib integer,
    passes integer,
    wrapped_key blob not null
) strict;

create table device (
    one integer primary key check (one = 1),
    identifier text not null,
    box_id blob not null,
    device_id blob not null,
    signing_key blob not null, -- sealed
    register_command blob not null,
    registration_id blob,
    code_expires_at integer,
    token_id text,
    hawk_key blob, -- sealed
    acl_key blob, -- sealed
    lost_messages integer not null default 0
) strict;

create table sealing_keys (
    counter integer primary key,
    secret_key blob not null, -- sealed
    statement blob not null,
    created integer not null,
    expires integer not null,
    -- With which command it was stated, and whether the server has it.
    command_id blob not null,
    stated integer not null check (stated in (0, 1))
) strict;

-- Key records as far as they were verified, of this box and of others. They only grow.
create table membership_statements (
    box_id blob not null,
    version integer not null,
    statement blob not null,
    primary key (box_id, version)
) strict, without rowid;

create table sealing_statements (
    box_id blob not null,
    device_id blob not null,
    statement blob not null,
    primary key (box_id, device_id)
) strict, without rowid;

create table contacts (
    box_id blob primary key,
    looked_up_at integer,
    -- The version of this box's record that the contact is known to have.
    knows_version integer not null default 0
) strict, without rowid;

-- Identifier to box, as this device's own look-ups gave it first.
create table pins (
    identifier text primary key,
    box_id blob not null,
    -- The box that it leads to now, if that is another: sending is withheld until it is accepted.
    changed_to blob
) strict, without rowid;

-- Two heads of one box of which neither extends the other, and what showed the second.
create table forks (
    id integer primary key,
    box_id blob not null,
    seen_at integer not null,
    evidence blob not null -- sealed: a message has its text in it
) strict;

create table messages (
    id integer primary key autoincrement,
    peer blob not null,
    conversation blob not null,
    sender blob not null,
    sender_device blob not null,
    sequence integer not null,
    -- The link's hash and the one before it, sealed: a hash of a short text in the clear can be guessed.
    link blob not null,
    message_id blob not null,
    time integer not null,
    accepted_at integer,
    kind integer not null,
    body blob not null, -- sealed
    state text not null check (state in ('pending', 'sent', 'failed', 'new', 'read')),
    -- A device id is what its founder says: only with the box is it someone's own.
    unique (sender, sender_device, conversation, sequence)
) strict;
create index messages_by_state on messages (state) where state in ('pending', 'new');

-- What has been signed and sealed and is not known to be accepted.
create table outbox (
    message integer primary key references messages (id) on delete cascade,
    outer_id blob not null,
    expires_at integer not null,
    value blob not null
) strict;

-- What is stored here and still has to be confirmed.
create table confirmations (
    handle blob primary key
) strict, without rowid;

-- What the person should know and was not shown yet.
create table warnings (
    id integer primary key autoincrement,
    name text not null,
    warning blob not null, -- sealed
    seen_at integer not null,
    -- How often it came, or others of its name for which there was no room.
    times integer not null default 1
) strict;
create index warnings_by_name on warnings (name);
