-- An identifier that belongs to a box is claimed for another: by somebody who has shown its code.

-- When a device of the box last objected to a claim, and how often in a row by the recovery key.
alter table identifiers add column objected_at bigint;
alter table identifiers add column recovery_objections bigint not null default 0;

create table claims (
    claim_id blob not null primary key,
    identifier_hash text not null,
    secret_number bigint not null,
    slot bigint not null,
    -- The box for which it is claimed, and the device that claims.
    box_id blob not null,
    device_id blob not null,
    -- The command that claimed it.
    claimed_by blob not null,
    claimed_at bigint not null,
    effective_at bigint not null,
    -- What founds the box, if that is a new one; else the command as the device signed it.
    founding_statement blob,
    founding_sealing blob,
    signed_command blob,
    signed_signature blob,
    -- open, objected, replaced or effective
    state text not null,
    -- When it ended; null while it is open.
    ended_at bigint
);
create index claims_by_identifier on claims (identifier_hash);
create index claims_by_box on claims (box_id);
create index claims_by_end on claims (ended_at) where ended_at is not null;
