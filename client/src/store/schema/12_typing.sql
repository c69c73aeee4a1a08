-- Whether those whom the person has accepted are told that they write.
alter table preferences add column sends_typing integer not null default 1 check (sends_typing in (0, 1));
