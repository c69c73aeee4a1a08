-- Attachments on their way to the server: each is a file of ciphertext in the home's folder of uploads.
create table uploads (
    id integer primary key,
    thread integer not null references conversations (key),
    spool text not null unique,
    octets integer not null,
    begun_at integer not null,
    -- What the message will say, with the key of the attachment.
    content blob not null, -- sealed
    upload_key blob not null, -- sealed
    expires_at integer not null
) strict;

-- What takes a blob back from the server, as long as it is there.
create table own_blobs (
    message integer primary key references messages (id) on delete cascade,
    blob_id blob not null, -- sealed
    upload_key blob not null, -- sealed
    expires_at integer not null
) strict;
