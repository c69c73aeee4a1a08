-- Which command closed a box, and when: what it left half-done is finished by whoever meets it.
alter table key_boxes add column closing_command blob;
alter table key_boxes add column closing_at bigint;
create index key_boxes_closing on key_boxes (closing_at) where is_closing = 1;
