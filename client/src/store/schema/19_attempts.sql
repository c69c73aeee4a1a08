-- How many attempts to hand a message over may have come through. It can't be known of what was in the outbox before.
alter table outbox add column attempts integer not null default 1;
