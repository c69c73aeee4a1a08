-- Both databases have the same tables; only the names of types differ. Ids and hashes are octets, times are milliseconds.

-- Where each projection stands in each partition, and what it applied last, by which a topic made anew is recognised.
create table positions (
    projection text not null,
    topic text not null,
    partition bigint not null,
    next_offset bigint not null,
    last_offset bigint,
    last_record blob,
    primary key (projection, topic, partition)
);

-- The streams' versions. Never deleted, or a repeated first event would bring a stream back; registrations' expire.
create table heads (
    projection text not null,
    topic text not null,
    stream text not null,
    version bigint not null,
    primary key (projection, topic, stream)
);

-- Which event took which version of a stream.
create table outcomes (
    projection text not null,
    topic text not null,
    stream text not null,
    expected_version bigint not null,
    event_id blob not null,
    command_id blob not null,
    step bigint not null,
    command_hash blob not null,
    primary key (projection, topic, stream, expected_version)
);
create unique index outcomes_by_event on outcomes (projection, event_id);
create index outcomes_by_command on outcomes (command_id);

-- Events that came too late: without effect, kept for audit.
create table superseded (
    projection text not null,
    event_id blob not null,
    expected_version bigint not null,
    topic text not null,
    stream text not null,
    command_id blob not null,
    step bigint not null,
    command_hash blob not null,
    primary key (projection, event_id, expected_version)
);
create index superseded_by_command on superseded (command_id);

-- Records that can't be applied, kept whole: a later version may know them.
create table quarantine (
    projection text not null,
    topic text not null,
    partition bigint not null,
    record_offset bigint not null,
    appended_at bigint not null,
    event_type text not null,
    reason text not null,
    headers blob not null,
    value blob,
    primary key (projection, topic, partition, record_offset)
);

-- Registrations, their codes and guesses: as long as their day is not over for a day.
create table registrations (
    registration_id blob not null primary key,
    stream text not null,
    identifier_hash text not null,
    secret_number bigint not null,
    slot bigint not null,
    box_id blob not null,
    device_id blob not null,
    founding_statement blob not null,
    sealing_statement blob not null,
    asked_at bigint not null
);
create index registrations_by_stream on registrations (stream);

create table codes (
    registration_id blob not null,
    number bigint not null,
    stream text not null,
    expires_at bigint not null,
    primary key (registration_id, number)
);
create index codes_by_stream on codes (stream);

create table guesses (
    stream text not null,
    version bigint not null,
    registration_id blob not null,
    number bigint not null,
    is_right bigint not null,
    command_id blob not null,
    primary key (stream, version)
);
create index guesses_by_registration on guesses (registration_id);

-- The inbox lookup: from identifier to box.
create table identifiers (
    identifier_hash text not null primary key,
    box_id blob not null,
    registration_id blob not null,
    secret_number bigint not null,
    slot bigint not null,
    verified_by blob not null,
    founding_device blob,
    founding_statement blob,
    founding_sealing blob
);
create index identifiers_by_box on identifiers (box_id);

-- The queue: relations that only grow. What waits is computed.
create table founded (
    box_id blob not null primary key
);
create table closing (
    box_id blob not null primary key
);
create table closed (
    box_id blob not null primary key
);
create table removed (
    box_id blob not null,
    device_id blob not null,
    primary key (box_id, device_id)
);
create table enqueued (
    box_id blob not null,
    outer_id blob not null,
    content_hash blob not null,
    accepted_at bigint not null,
    expires_at bigint not null,
    region bigint not null,
    partition bigint not null,
    record_offset bigint not null,
    value blob,
    primary key (box_id, outer_id, content_hash)
);
create index enqueued_by_expiry on enqueued (expires_at);
create table owed (
    box_id blob not null,
    device_id blob not null,
    outer_id blob not null,
    content_hash blob not null,
    expires_at bigint not null,
    primary key (box_id, device_id, outer_id, content_hash)
);
create index owed_by_expiry on owed (expires_at);
create index owed_by_message on owed (box_id, outer_id, content_hash);
create table acknowledged (
    box_id blob not null,
    device_id blob not null,
    outer_id blob not null,
    content_hash blob not null,
    expires_at bigint not null,
    primary key (box_id, device_id, outer_id, content_hash)
);
create index acknowledged_by_expiry on acknowledged (expires_at);

-- Operational, not derived: what a device did last, and what it lost to expiry.
create table device_figures (
    box_id blob not null,
    device_id blob not null,
    last_confirmed_at bigint,
    lost_messages bigint not null default 0,
    lost_from bigint,
    lost_until bigint,
    primary key (box_id, device_id)
);

-- Key records, of the projection `keys`.
create table membership (
    box_id blob not null,
    number bigint not null,
    statement blob not null,
    primary key (box_id, number)
);
create table devices (
    box_id blob not null,
    device_id blob not null,
    epoch bigint not null,
    is_removed bigint not null,
    sealing_counter bigint not null,
    sealing_statement blob not null,
    primary key (box_id, device_id)
);
create table key_boxes (
    box_id blob not null primary key,
    is_closing bigint not null,
    is_closed bigint not null
);

-- Profiles, of the projection `profiles`.
create table profiles (
    box_id blob not null primary key,
    discoverable text not null,
    accept_from text not null,
    blob blob not null
);
create table profile_boxes (
    box_id blob not null primary key,
    -- open, closing or closed
    state text not null
);
create table profile_tags (
    box_id blob not null,
    list text not null,
    tag blob not null,
    primary key (box_id, list, tag)
);
