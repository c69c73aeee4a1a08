-- The devices of the recipient that a message could not be sealed to, and why: told once the server has taken it so.
alter table outbox add column left_out text;
