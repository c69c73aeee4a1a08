-- When an identifier was last looked up here: it may lead elsewhere, whenever the box that it led to was seen.
alter table pins add column looked_up_at integer;

-- Boxes that identifiers led to until the person accepted another one: what was written there has a name by them, and who is there
-- now is not who was verified.
create table former_pins (
    box_id blob not null,
    identifier text not null,
    left_at integer not null,
    primary key (box_id, identifier)
) strict, without rowid;
