-- What a group's changes are now: another value after each time that some were added. Whoever has read them knows by it.
alter table groups add column version blob;
