-- Whether the person was told that a message waits for changes of its group for long.
alter table group_messages_waiting add column told integer not null default 0 check (told in (0, 1));
