-- Whom the person has verified, and when records are asked for again.

-- Boxes whose safety number the person has compared, or took that back. By box: whoever has another root is another box.
create table verified (
    box_id blob primary key,
    is_verified integer not null check (is_verified in (0, 1)),
    -- The head of the box's record then.
    version integer not null,
    hash blob not null,
    -- When the person said so; of what the own devices say, the latest counts.
    changed_at integer not null,
    -- The version of the record of whose devices the person was told.
    told_version integer not null
) strict, without rowid;

-- When a box's record was last asked for in the daily batch, whatever the answer.
alter table contacts add column asked_at integer;

-- When the next batch is due; null before the first.
create table refresh (
    one integer primary key check (one = 1),
    next_at integer
) strict;
insert into refresh (one) values (1);
