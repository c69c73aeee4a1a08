-- The version of this box's own record that a device of a contact has named: each by itself, since one that was linked later may not
-- have it, nor be let look it up.
create table known_by (
    box_id blob not null,
    device_id blob not null,
    version integer not null,
    primary key (box_id, device_id)
) strict, without rowid;
alter table contacts drop column knows_version;
