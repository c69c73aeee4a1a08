-- What the devices of a box have asked codes for, for the box's export.
create index registrations_by_box on registrations (box_id, asked_at);
