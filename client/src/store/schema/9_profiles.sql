-- Profiles: the own one, and those of others.

create table own_profile (
    one integer primary key check (one = 1),
    key_version integer not null,
    profile_key blob not null, -- sealed
    revision integer not null,
    profile blob not null, -- sealed
    -- Whether the server has it, and whether everybody who is to read it was given the key.
    stated integer not null check (stated in (0, 1)),
    told integer not null check (told in (0, 1))
) strict;

create table profiles (
    box_id blob primary key,
    -- The latest key that its owner gave; null while none has come.
    key_version integer,
    profile_key blob, -- sealed
    -- As the server showed it last, for a key that comes later.
    shown blob,
    -- What it said last, and under which key and in which revision; null while it was never opened.
    opened_version integer,
    opened_revision integer,
    name blob, -- sealed
    picture blob, -- sealed
    check ((key_version is null) = (profile_key is null)),
    check ((opened_version is null) = (opened_revision is null))
) strict, without rowid;
