-- A box has several identifiers. A device of a box asks for codes too: to add an identifier, or to object to a claim.

-- found (a box), add or object. The statements of a purpose other than found are empty.
alter table registrations add column purpose text not null default 'found';
alter table registrations add column claim_id bytea;

-- When it was verified; unknown of those that were before this step.
alter table identifiers add column verified_at bigint;
-- The command by which a device added it; null for a box's first.
alter table identifiers add column signed_device bytea;
alter table identifiers add column signed_command bytea;
alter table identifiers add column signed_signature bytea;
