-- Keys that wrap one other key each, so that this one can be erased. What a wrapping key wraps is sealed under the store's
-- key over that.
create table wrapping_keys (
    id blob primary key,
    wrapped blob, -- sealed; null where the system's keyring alone has it
    -- Whether the keyring has, or may have, an entry of this id.
    in_keyring integer not null check (in_keyring in (0, 1)),
    made_at integer not null,
    -- Whether it ever wrapped something.
    used integer not null default 0 check (used in (0, 1)),
    -- When the keyring was last asked in vain to forget it.
    tried_at integer,
    check (wrapped is not null or in_keyring = 1)
) strict, without rowid;

-- Null in homes that were made before, until they are opened: the private key is sealed under the store's key alone.
alter table sealing_keys add column wrapping_key blob references wrapping_keys (id);
alter table linking add column wrapping_key blob references wrapping_keys (id);

-- The entry of the system's keyring that locks the store; null where a passphrase or a key file does.
alter table home add column keyring_key blob references wrapping_keys (id);
-- Whether something was erased that still has to be overwritten in the files.
alter table home add column scrub_due integer not null default 0 check (scrub_due in (0, 1));

create trigger sealing_key_is_wrapped after insert on sealing_keys begin
    update wrapping_keys set used = 1 where id = new.wrapping_key;
end;
create trigger linking_is_wrapped after insert on linking begin
    update wrapping_keys set used = 1 where id = new.wrapping_key;
end;
