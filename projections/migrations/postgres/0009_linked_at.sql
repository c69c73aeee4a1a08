-- When a device was linked: a box links only so many in a day. Null for the founding device, and unknown of those that were linked
-- before this step.
alter table devices add column linked_at bigint;
