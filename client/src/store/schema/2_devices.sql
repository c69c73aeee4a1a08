-- Several devices of one box.

-- A device that is to be linked, until it is.
create table linking (
    one integer primary key check (one = 1),
    secret blob not null, -- sealed
    device_id blob not null,
    signing_key blob not null, -- sealed
    sealing_key blob not null, -- sealed
    name text not null,
    created_at integer not null
) strict;

-- The version of the own key record of which the person was told.
alter table device add column told_version integer not null default 1;

-- What the person calls the box's devices, as the last of them said.
create table device_names (
    device_id blob primary key,
    name blob not null, -- sealed
    named_at integer not null
) strict, without rowid;

-- 0 for what devices tell each other, and nobody reads.
alter table messages add column shown integer not null default 1 check (shown in (0, 1));
