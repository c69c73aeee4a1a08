-- Several identifiers of the box, and an identifier that is won back.

-- The box's identifiers, as far as this device knows them.
create table identifiers (
    identifier_hash text primary key,
    identifier blob, -- sealed; null as long as only the server has named it
    -- own; strange (the server lists it, and no device of the box has added it); claimed (for this box, and not its own yet); gone
    standing text not null check (standing in ('own', 'strange', 'claimed', 'gone')),
    changed_at integer not null
) strict, without rowid;

-- A code that was asked for.
create table identifier_code (
    one integer primary key check (one = 1),
    registration_id blob not null,
    identifier blob not null, -- sealed
    -- The claim that it objects to; null if it adds the identifier.
    claim_id blob
) strict;

-- Whether the person has said that all devices of the account are lost, and until when the claim of its identifier waits.
alter table device add column recovers integer not null default 0 check (recovers in (0, 1));
alter table device add column claim_until integer;
-- The command that closes the account, once it was sent.
alter table device add column closing_command blob;
