"""The tables, as numbered migrations. The database's `user_version` is the number of the last one that ran.

Rows state facts; status is derived. A migration is never edited once it was released: a change is a new number.
"""

from typing import Final

_FIRST: Final = """
CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  UNIQUE (uid, name)
) STRICT;

CREATE TABLE interface (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  adopted INTEGER NOT NULL CHECK (adopted IN (0, 1)),
  enforced INTEGER NOT NULL CHECK (enforced IN (0, 1)),
  private_key TEXT NOT NULL,      -- base64; empty for adopted interfaces, whose owner has it
  public_key TEXT NOT NULL,
  port INTEGER NOT NULL,
  pool4 TEXT,
  pool6 TEXT,
  endpoint TEXT NOT NULL,
  dns TEXT NOT NULL,              -- JSON list
  mtu INTEGER NOT NULL,           -- bytes, 0: the backend's default
  created_ms INTEGER NOT NULL,
  removed_ms INTEGER,
  CHECK (adopted = 1 OR enforced = 1),
  CHECK (adopted = 1 OR private_key <> '')
) STRICT;
CREATE UNIQUE INDEX interface_name ON interface (name) WHERE removed_ms IS NULL;

CREATE TABLE network (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  routes TEXT NOT NULL,           -- JSON list of CIDR
  ports TEXT NOT NULL,            -- JSON list such as "tcp/5432"; empty: all
  jit INTEGER NOT NULL CHECK (jit IN (0, 1)),
  members TEXT NOT NULL,          -- JSON list of principals
  default_ms INTEGER NOT NULL CHECK (default_ms > 0),
  max_ms INTEGER NOT NULL CHECK (max_ms >= default_ms),
  pending_ms INTEGER NOT NULL CHECK (pending_ms > 0),
  created_ms INTEGER NOT NULL,
  removed_ms INTEGER,
  CHECK (jit = 1 OR members <> '[]')
) STRICT;
CREATE UNIQUE INDEX network_name ON network (name) WHERE removed_ms IS NULL;
CREATE INDEX network_interface ON network (interface_id) WHERE removed_ms IS NULL;

CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES account (id),
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  removed_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX device_name ON device (account_id, name) WHERE removed_ms IS NULL;
CREATE UNIQUE INDEX device_key ON device (public_key) WHERE removed_ms IS NULL;

-- A device on an interface. The preshared key comes with imported peers, and leaves the store only to the kernel.
CREATE TABLE tunnel (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  preshared_key TEXT NOT NULL,
  endpoint TEXT NOT NULL,         -- where the client was last heard from, "" for nowhere yet
  created_ms INTEGER NOT NULL,
  UNIQUE (device_id, interface_id)
) STRICT;
CREATE INDEX tunnel_interface ON tunnel (interface_id);

-- What WireGuard lets in from a tunnel: one address of the pool each, or what an imported peer had.
CREATE TABLE address (
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  ip TEXT NOT NULL,               -- CIDR
  tunnel_id INTEGER NOT NULL REFERENCES tunnel (id),
  PRIMARY KEY (interface_id, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_tunnel ON address (tunnel_id);

-- Peers that an adopted interface had by itself. They pass untouched until the interface is enforced.
CREATE TABLE unmanaged (
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  public_key TEXT NOT NULL,
  allowed_ips TEXT NOT NULL,      -- JSON list of CIDR
  preshared_key TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  keepalive INTEGER NOT NULL,     -- seconds
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (interface_id, public_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES account (id),
  network_id INTEGER NOT NULL REFERENCES network (id),
  reason TEXT NOT NULL,
  wanted_ms INTEGER,
  requested_ms INTEGER NOT NULL,
  requested_by TEXT NOT NULL,
  lapses_ms INTEGER NOT NULL,     -- when nobody needs to decide any more
  decision TEXT CHECK (decision IN ('granted', 'denied')),
  decided_ms INTEGER,
  decided_by TEXT,
  comment TEXT,
  starts_ms INTEGER,
  ends_ms INTEGER,
  boot_id TEXT,
  ends_boot_ms INTEGER,
  paused_ms INTEGER,
  ended_how TEXT CHECK (ended_how IN ('expired', 'revoked', 'released', 'cancelled', 'lapsed')),
  ended_ms INTEGER,
  ended_by TEXT,
  ended_comment TEXT,
  state TEXT GENERATED ALWAYS AS (coalesce(ended_how, decision, 'pending')) VIRTUAL,
  CHECK ((decision IS NULL) = (decided_ms IS NULL) AND (decision IS NULL) = (decided_by IS NULL)),
  CHECK ((decision IS 'granted') = (starts_ms IS NOT NULL AND ends_ms IS NOT NULL AND boot_id IS NOT NULL
         AND ends_boot_ms IS NOT NULL)),
  CHECK (ends_ms > starts_ms),
  CHECK ((ended_how IS NULL) = (ended_ms IS NULL) AND (ended_how IS NULL) = (ended_by IS NULL)),
  CHECK (ended_how IS NULL OR decision IS NOT 'denied'),
  CHECK (ended_how NOT IN ('expired', 'revoked', 'released') OR decision IS 'granted'),
  CHECK (ended_how NOT IN ('cancelled', 'lapsed') OR decision IS NULL),
  CHECK (paused_ms IS NULL OR decision IS 'granted')
) STRICT;
CREATE UNIQUE INDEX request_pending ON request (account_id, network_id) WHERE decision IS NULL AND ended_how IS NULL;
CREATE INDEX request_live ON request (network_id) WHERE decision = 'granted' AND ended_how IS NULL;
CREATE INDEX request_end ON request (ends_ms) WHERE decision = 'granted' AND ended_how IS NULL;
CREATE INDEX request_boot_end ON request (boot_id, ends_boot_ms) WHERE decision = 'granted' AND ended_how IS NULL;
CREATE INDEX request_lapse ON request (lapses_ms) WHERE decision IS NULL AND ended_how IS NULL;
CREATE INDEX request_state ON request (state, id);
CREATE INDEX request_account ON request (account_id, id);
CREATE INDEX request_network ON request (network_id, id);

CREATE TABLE grant_device (
  request_id INTEGER NOT NULL REFERENCES request (id),
  device_id INTEGER NOT NULL REFERENCES device (id),
  PRIMARY KEY (request_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX grant_device_device ON grant_device (device_id);

-- What a grant was really used for: sums of what was sampled from its peers.
CREATE TABLE usage (
  request_id INTEGER PRIMARY KEY REFERENCES request (id),
  used_ms INTEGER NOT NULL,       -- in which something came from the client
  rx_bytes INTEGER NOT NULL,
  tx_bytes INTEGER NOT NULL,
  handshake_ms INTEGER NOT NULL   -- the last one, 0: none yet
) STRICT;

-- The audit log. Facts are added and never changed; SEQ has no gaps.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  actor_uid INTEGER,              -- null: jitd itself
  actor_user TEXT,
  actor_login_uid INTEGER,
  actor_login_user TEXT,
  actor_pid INTEGER,
  actor_origin TEXT,
  request_id INTEGER,
  user TEXT,                      -- whom it concerns, with the uid: the same name may be somebody else later
  user_uid INTEGER,
  network TEXT,
  interface TEXT,
  device TEXT,
  data TEXT NOT NULL              -- JSON object
) STRICT;
CREATE INDEX event_request ON event (request_id, seq) WHERE request_id IS NOT NULL;
CREATE INDEX event_user ON event (user, seq);
CREATE INDEX event_at ON event (at_ms, seq);
CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN SELECT RAISE (ABORT, 'events are never deleted'); END;
CREATE TRIGGER event_fixed BEFORE UPDATE ON event BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;

-- Single values that outlive a restart, such as the highest wall clock that was seen.
CREATE TABLE fact (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_POLICY: Final = """
ALTER TABLE account ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN ends_ms INTEGER;       -- null: no end
ALTER TABLE account ADD COLUMN ended_ms INTEGER;      -- when that end was noticed
ALTER TABLE account ADD COLUMN disabled TEXT;         -- why an administrator has shut it out; null: nobody has
-- People whom the system does not know: their uid is -1.
CREATE UNIQUE INDEX account_registered ON account (name) WHERE uid = -1;
CREATE INDEX account_end ON account (ends_ms) WHERE ends_ms IS NOT NULL AND ended_ms IS NULL;

ALTER TABLE device ADD COLUMN ends_ms INTEGER;        -- it is removed then
CREATE INDEX device_end ON device (ends_ms) WHERE ends_ms IS NOT NULL AND removed_ms IS NULL;

ALTER TABLE network ADD COLUMN jit_groups TEXT NOT NULL DEFAULT '[]';     -- JSON lists of principals
ALTER TABLE network ADD COLUMN jit_exempt TEXT NOT NULL DEFAULT '[]';
ALTER TABLE network ADD COLUMN jit_admins_too INTEGER NOT NULL DEFAULT 0 CHECK (jit_admins_too IN (0, 1));
ALTER TABLE network ADD COLUMN approvers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE network ADD COLUMN approvals INTEGER NOT NULL DEFAULT 1 CHECK (approvals > 0);
ALTER TABLE network ADD COLUMN min_ms INTEGER NOT NULL DEFAULT 1000 CHECK (min_ms > 0);
ALTER TABLE network ADD COLUMN extend_beyond_max INTEGER NOT NULL DEFAULT 0 CHECK (extend_beyond_max IN (0, 1));
ALTER TABLE network ADD COLUMN hours TEXT NOT NULL DEFAULT '[]';          -- JSON list of windows as text
ALTER TABLE network ADD COLUMN reason_required INTEGER NOT NULL DEFAULT 1 CHECK (reason_required IN (0, 1));
ALTER TABLE network ADD COLUMN reason_min INTEGER NOT NULL DEFAULT 1;
ALTER TABLE network ADD COLUMN reason_pattern TEXT NOT NULL DEFAULT '';
ALTER TABLE network ADD COLUMN reason_expected TEXT NOT NULL DEFAULT '';
ALTER TABLE network ADD COLUMN break_glass TEXT NOT NULL DEFAULT '[]';
ALTER TABLE network ADD COLUMN break_glass_ms INTEGER NOT NULL DEFAULT 3600000 CHECK (break_glass_ms > 0);
ALTER TABLE network ADD COLUMN break_glass_reason_min INTEGER NOT NULL DEFAULT 10;
ALTER TABLE network ADD COLUMN break_glass_quota INTEGER NOT NULL DEFAULT 3;
ALTER TABLE network ADD COLUMN auto_approve TEXT NOT NULL DEFAULT '[]';   -- JSON list of rules as text

ALTER TABLE request ADD COLUMN wanted_start_ms INTEGER;
ALTER TABLE request ADD COLUMN wanted_until_ms INTEGER;
ALTER TABLE request ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0 CHECK (urgent IN (0, 1));
ALTER TABLE request ADD COLUMN break_glass INTEGER NOT NULL DEFAULT 0 CHECK (break_glass IN (0, 1));
ALTER TABLE request ADD COLUMN reviewed_ms INTEGER;
ALTER TABLE request ADD COLUMN reviewed_by TEXT;
ALTER TABLE request ADD COLUMN reviewed_comment TEXT;
ALTER TABLE request ADD COLUMN extends_id INTEGER REFERENCES request (id);
ALTER TABLE request ADD COLUMN auto_rule TEXT;        -- the rule that granted it without waiting for somebody
-- Those that give access: a request for more time of a grant gives none of its own.
DROP INDEX request_live;
DROP INDEX request_end;
DROP INDEX request_boot_end;
CREATE INDEX request_live ON request (network_id)
  WHERE decision = 'granted' AND ended_how IS NULL AND extends_id IS NULL;
CREATE INDEX request_end ON request (ends_ms)
  WHERE decision = 'granted' AND ended_how IS NULL AND extends_id IS NULL;
CREATE INDEX request_boot_end ON request (boot_id, ends_boot_ms)
  WHERE decision = 'granted' AND ended_how IS NULL AND extends_id IS NULL;
CREATE INDEX request_extends ON request (extends_id) WHERE extends_id IS NOT NULL;
CREATE INDEX request_unreviewed ON request (id) WHERE break_glass = 1 AND reviewed_ms IS NULL;
CREATE INDEX request_urgent ON request (id) WHERE urgent = 1 AND decision IS NULL AND ended_how IS NULL;
CREATE INDEX request_auto ON request (account_id, decided_ms) WHERE auto_rule IS NOT NULL;

-- Where several have to agree: who does.
CREATE TABLE vote (
  id INTEGER PRIMARY KEY,
  request_id INTEGER NOT NULL REFERENCES request (id),
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  login_uid INTEGER,
  at_ms INTEGER NOT NULL,
  duration_ms INTEGER,
  comment TEXT NOT NULL
) STRICT;
CREATE INDEX vote_request ON vote (request_id);

-- One row while everything is frozen.
CREATE TABLE freeze (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since_ms INTEGER NOT NULL,
  by TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
"""

_NOTICES: Final = """
ALTER TABLE account ADD COLUMN told INTEGER NOT NULL DEFAULT 1 CHECK (told IN (0, 1)); -- whether it wants mail

-- When somebody is to be told next: its user that a grant ends, those who decide that a request waits.
ALTER TABLE request ADD COLUMN tell_ms INTEGER;
CREATE INDEX request_tell ON request (tell_ms) WHERE tell_ms IS NOT NULL AND ended_how IS NULL;

-- What is to be told to whom, once each.
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,       -- what it is about, for whom, by which way
  way TEXT NOT NULL,              -- "mail" or "chat"
  recipient TEXT NOT NULL,        -- a user's name; for a chat its name
  address TEXT NOT NULL,          -- a mail address; "" for a chat
  template TEXT NOT NULL,
  request_id INTEGER,
  data TEXT NOT NULL,             -- JSON object: what the template is filled with
  created_ms INTEGER NOT NULL,
  next_ms INTEGER,                -- when it is tried next; null: not by itself any more
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  sent_ms INTEGER,
  dropped_ms INTEGER
) STRICT;
CREATE INDEX message_waiting ON message (next_ms) WHERE sent_ms IS NULL AND dropped_ms IS NULL;
CREATE INDEX message_sent ON message (recipient, sent_ms) WHERE sent_ms IS NOT NULL;
"""

_LISTS: Final = """
-- Who decided about it, or revoked it.
ALTER TABLE request ADD COLUMN manager TEXT GENERATED ALWAYS AS
  (coalesce(CASE ended_how WHEN 'revoked' THEN nullif(ended_by, '') END, decided_by, '')) VIRTUAL;
-- Each range of a list ends with its newest request.
DROP INDEX request_account;
DROP INDEX request_network;
CREATE INDEX request_account ON request (account_id, state, id);
CREATE INDEX request_network ON request (network_id, state, id);
CREATE INDEX request_manager ON request (manager, state, id);
CREATE INDEX request_requested ON request (requested_ms);

-- How many there are, so that nobody has to count them.
CREATE TABLE tally_network (
  network_id INTEGER NOT NULL,
  state TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (network_id, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally_account (
  account_id INTEGER NOT NULL,
  network_id INTEGER NOT NULL,
  state TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (account_id, network_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO tally_network SELECT network_id, state, count(*) FROM request GROUP BY network_id, state;
INSERT INTO tally_account SELECT account_id, network_id, state, count(*) FROM request
  GROUP BY account_id, network_id, state;

-- The words of requests, with marks for account, network and state, which a search is crossed with.
CREATE VIEW request_words AS
  SELECT r.id, r.reason, a.name AS user, coalesce(r.comment, '') AS comment,
    coalesce(r.ended_comment, '') AS ended_comment,
    'a' || r.account_id || ' n' || r.network_id || ' s' || coalesce(r.ended_how, r.decision, 'pending') AS marks
  FROM request r JOIN account a ON a.id = r.account_id;
CREATE VIRTUAL TABLE request_text USING fts5 (
  reason, user, comment, ended_comment, marks,
  content = 'request_words', content_rowid = 'id', prefix = '2 3 4 5 6', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO request_text (request_text) VALUES ('rebuild');

CREATE TRIGGER request_added AFTER INSERT ON request BEGIN
  INSERT INTO tally_network VALUES (new.network_id, coalesce(new.ended_how, new.decision, 'pending'), 1)
    ON CONFLICT DO UPDATE SET number = number + 1;
  INSERT INTO tally_account
    VALUES (new.account_id, new.network_id, coalesce(new.ended_how, new.decision, 'pending'), 1)
    ON CONFLICT DO UPDATE SET number = number + 1;
  INSERT INTO request_text (rowid, reason, user, comment, ended_comment, marks)
    SELECT id, reason, user, comment, ended_comment, marks FROM request_words WHERE id = new.id;
END;
CREATE TRIGGER request_moved AFTER UPDATE OF decision, ended_how ON request
  WHEN coalesce(old.ended_how, old.decision, 'pending') <> coalesce(new.ended_how, new.decision, 'pending') BEGIN
  UPDATE tally_network SET number = number - 1
    WHERE network_id = old.network_id AND state = coalesce(old.ended_how, old.decision, 'pending');
  UPDATE tally_account SET number = number - 1
    WHERE account_id = old.account_id AND network_id = old.network_id
      AND state = coalesce(old.ended_how, old.decision, 'pending');
  INSERT INTO tally_network VALUES (new.network_id, coalesce(new.ended_how, new.decision, 'pending'), 1)
    ON CONFLICT DO UPDATE SET number = number + 1;
  INSERT INTO tally_account
    VALUES (new.account_id, new.network_id, coalesce(new.ended_how, new.decision, 'pending'), 1)
    ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER request_reworded AFTER UPDATE OF reason, comment, ended_comment, decision, ended_how ON request BEGIN
  INSERT INTO request_text (request_text, rowid, reason, user, comment, ended_comment, marks)
    VALUES ('delete', old.id, old.reason, (SELECT name FROM account WHERE id = old.account_id),
      coalesce(old.comment, ''), coalesce(old.ended_comment, ''),
      'a' || old.account_id || ' n' || old.network_id || ' s' || coalesce(old.ended_how, old.decision, 'pending'));
  INSERT INTO request_text (rowid, reason, user, comment, ended_comment, marks)
    SELECT id, reason, user, comment, ended_comment, marks FROM request_words WHERE id = new.id;
END;
"""

_OUTBOX: Final = """
-- What is due by one way, what one recipient waits for, and what is to be forgotten, each without reading the rest.
DROP INDEX message_waiting;
CREATE INDEX message_due ON message (way, next_ms) WHERE sent_ms IS NULL AND dropped_ms IS NULL;
CREATE INDEX message_recipient ON message (recipient, way, next_ms)
  WHERE sent_ms IS NULL AND dropped_ms IS NULL;
CREATE INDEX message_over ON message (coalesce(sent_ms, dropped_ms));
"""

_MANAGERS: Final = """
-- A mark for who decided, too: hexadecimal, so that any name is one word.
DROP TRIGGER request_reworded;
DROP VIEW request_words;
CREATE VIEW request_words AS
  SELECT r.id, r.reason, a.name AS user, coalesce(r.comment, '') AS comment,
    coalesce(r.ended_comment, '') AS ended_comment,
    'a' || r.account_id || ' n' || r.network_id || ' s' || coalesce(r.ended_how, r.decision, 'pending')
      || ' m' || hex(r.manager) AS marks
  FROM request r JOIN account a ON a.id = r.account_id;
CREATE TRIGGER request_reworded
  AFTER UPDATE OF reason, comment, ended_comment, decision, decided_by, ended_how, ended_by ON request BEGIN
  INSERT INTO request_text (request_text, rowid, reason, user, comment, ended_comment, marks)
    VALUES ('delete', old.id, old.reason, (SELECT name FROM account WHERE id = old.account_id),
      coalesce(old.comment, ''), coalesce(old.ended_comment, ''),
      'a' || old.account_id || ' n' || old.network_id || ' s' || coalesce(old.ended_how, old.decision, 'pending')
        || ' m' || hex(old.manager));
  INSERT INTO request_text (rowid, reason, user, comment, ended_comment, marks)
    SELECT id, reason, user, comment, ended_comment, marks FROM request_words WHERE id = new.id;
END;
INSERT INTO request_text (request_text) VALUES ('rebuild');
"""

_KEYS: Final = """
ALTER TABLE device ADD COLUMN lost_ms INTEGER;        -- when it was reported lost: its key is never let in again
CREATE INDEX device_lost ON device (public_key) WHERE lost_ms IS NOT NULL;

-- Keys of devices that are gone, on interfaces where whoever is not known is left alone: not these, until they were
-- seen to be gone.
CREATE TABLE retired (
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  public_key TEXT NOT NULL,
  ips TEXT NOT NULL,              -- JSON list of CIDR: what the device had
  PRIMARY KEY (interface_id, public_key)
) STRICT, WITHOUT ROWID;
"""

_RANGES: Final = """
-- Each filter of events has an index in the order of SEQ.
CREATE INDEX event_network ON event (network, seq) WHERE network IS NOT NULL;
CREATE INDEX event_kind ON event (kind, seq);
-- Devices that an account has added lately, those that are gone included.
CREATE INDEX device_added ON device (account_id, created_ms);
"""

SPELLINGS: Final = """
-- Every value that goes to another program in its one spelling (`values.canonical`); what cannot be read stays, and is
-- not used.
UPDATE interface SET pool4 = canonical('network', pool4), pool6 = canonical('network', pool6),
  endpoint = canonical('endpoint', endpoint), dns = canonical('dns_hosts', dns);
UPDATE network SET routes = canonical('networks', routes);
UPDATE OR IGNORE address SET ip = canonical('network', ip);
UPDATE unmanaged SET allowed_ips = canonical('networks', allowed_ips);
UPDATE retired SET ips = canonical('networks', ips);
"""

_PEOPLE: Final = """
-- Which uid each user whom a rule names had when he was named there: JSON list of [field, name, uid].
ALTER TABLE network ADD COLUMN bound TEXT NOT NULL DEFAULT '[]';

-- Since when the devices of an account are suspended: the system says that it is gone, or its time is over.
ALTER TABLE account ADD COLUMN suspended_ms INTEGER;  -- null: they are not
-- It went with many others at once, which is a fault of the directory: it is never retired for that.
ALTER TABLE account ADD COLUMN suspended_in_fault INTEGER NOT NULL DEFAULT 0 CHECK (suspended_in_fault IN (0, 1));
ALTER TABLE account ADD COLUMN retired_ms INTEGER;    -- when that it is retired was recorded
CREATE INDEX account_suspended ON account (suspended_ms) WHERE suspended_ms IS NOT NULL;
-- Several registered people may have had one name, one after the other: each has a uid of its own below 0.
DROP INDEX account_registered;
"""

_DECIDERS: Final = """
-- Why too few people were left who may decide about it, as it was told last.
ALTER TABLE network ADD COLUMN shortage TEXT NOT NULL DEFAULT '';
"""

_FOUR_EYES: Final = """
-- Who registered the key of a device in somebody else's name, or made a person.
CREATE TABLE registrar (
  id INTEGER PRIMARY KEY,
  device_id INTEGER UNIQUE REFERENCES device (id),
  account_id INTEGER UNIQUE REFERENCES account (id),
  uid INTEGER NOT NULL,
  login_uid INTEGER,
  name TEXT NOT NULL,             -- who logged in, where that one was root
  CHECK ((device_id IS NULL) <> (account_id IS NULL))
) STRICT;
INSERT INTO registrar (device_id, uid, login_uid, name)
  SELECT d.id, e.actor_uid, e.actor_login_uid, iif(e.actor_uid = 0, coalesce(e.actor_login_user, 'root'), e.actor_user)
  FROM (
    SELECT json_extract(data, '$.public_key') AS key, max(seq) AS seq FROM event
    WHERE kind IN ('device_added', 'device_imported', 'device_rotated') GROUP BY key
  ) newest
  JOIN event e ON e.seq = newest.seq
  JOIN device d ON d.public_key = newest.key AND d.removed_ms IS NULL
  WHERE e.actor_uid IS NOT NULL AND e.actor_uid <> e.user_uid
    AND NOT (e.actor_uid = 0 AND e.actor_login_uid IS e.user_uid);
INSERT INTO registrar (account_id, uid, login_uid, name)
  SELECT a.id, e.actor_uid, e.actor_login_uid, iif(e.actor_uid = 0, coalesce(e.actor_login_user, 'root'), e.actor_user)
  FROM (SELECT user, user_uid, max(seq) AS seq FROM event WHERE kind = 'user_added' GROUP BY user, user_uid) newest
  JOIN event e ON e.seq = newest.seq
  JOIN account a ON a.name = newest.user AND a.uid = newest.user_uid
  WHERE e.actor_uid IS NOT NULL;

-- Why somebody else has to look at a grant: whoever decided had registered its device, or made its user.
ALTER TABLE request ADD COLUMN unreviewed TEXT;
DROP INDEX request_unreviewed;
CREATE INDEX request_unreviewed ON request (id)
  WHERE (break_glass = 1 OR unreviewed IS NOT NULL) AND reviewed_ms IS NULL;

-- A change of rules that several have to agree to, until they have, or somebody rejects it.
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  verb TEXT NOT NULL,             -- "network set"
  body TEXT NOT NULL,             -- JSON object: what the verb was called with
  networks TEXT NOT NULL,         -- JSON list of the ids of the networks whose deciders have to agree
  quorum INTEGER NOT NULL CHECK (quorum > 1),
  what TEXT NOT NULL,             -- JSON list of sentences
  basis TEXT NOT NULL,            -- a digest of the rules that it would change
  reason TEXT NOT NULL,
  proposed_ms INTEGER NOT NULL,
  proposed_by TEXT NOT NULL,
  ended_how TEXT CHECK (ended_how IN ('approved', 'rejected')),
  ended_ms INTEGER,
  ended_by TEXT
) STRICT;
CREATE INDEX change_open ON change (id) WHERE ended_how IS NULL;
CREATE TABLE change_vote (
  id INTEGER PRIMARY KEY,
  change_id INTEGER NOT NULL REFERENCES change (id),
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  login_uid INTEGER,
  at_ms INTEGER NOT NULL,
  comment TEXT NOT NULL
) STRICT;
CREATE INDEX change_vote_change ON change_vote (change_id);
"""

_FREED: Final = """
-- Addresses that were given back: they are given out again last, until they have rested.
CREATE TABLE freed (
  interface_id INTEGER NOT NULL REFERENCES interface (id),
  ip TEXT NOT NULL,               -- CIDR
  freed_ms INTEGER NOT NULL,
  PRIMARY KEY (interface_id, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX freed_at ON freed (freed_ms);
"""

_GIVEN: Final = """
-- A key that jitd let in and the interface's owner did not: it stays out for good, whatever file brings it back.
ALTER TABLE retired ADD COLUMN given INTEGER NOT NULL DEFAULT 0 CHECK (given IN (0, 1));
ALTER TABLE retired ADD COLUMN device_id INTEGER REFERENCES device (id);  -- whose key it was; null: not known
"""

_SETTINGS: Final = """
-- The settings of a network are called as people type them.
ALTER TABLE network RENAME COLUMN jit TO jit_enabled;
ALTER TABLE network RENAME COLUMN default_ms TO default_duration_ms;
ALTER TABLE network RENAME COLUMN max_ms TO max_duration_ms;
ALTER TABLE network RENAME COLUMN min_ms TO min_duration_ms;
ALTER TABLE network RENAME COLUMN pending_ms TO pending_ttl_ms;
ALTER TABLE network RENAME COLUMN reason_min TO reason_min_length;
ALTER TABLE network RENAME COLUMN hours TO jit_hours;
ALTER TABLE network RENAME COLUMN break_glass TO jit_break_glass;
ALTER TABLE network RENAME COLUMN break_glass_ms TO jit_break_glass_max_ms;
ALTER TABLE network RENAME COLUMN break_glass_reason_min TO jit_break_glass_reason_min_length;
ALTER TABLE network RENAME COLUMN break_glass_quota TO jit_break_glass_quota;
ALTER TABLE network RENAME COLUMN auto_approve TO jit_auto_approve;
UPDATE network SET bound = replace(replace(bound, '["break_glass"', '["jit_break_glass"'), '["auto_approve"', '["jit_auto_approve"');
"""

MIGRATIONS: Final[tuple[str, ...]] = (
    _FIRST,
    _POLICY,
    _NOTICES,
    _LISTS,
    _OUTBOX,
    _MANAGERS,
    _KEYS,
    _RANGES,
    SPELLINGS,
    _PEOPLE,
    _DECIDERS,
    _FOUR_EYES,
    _FREED,
    _GIVEN,
    _SETTINGS,
)
