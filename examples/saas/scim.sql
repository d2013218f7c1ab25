-- What SCIM adds. The tables of the application stay as they are.

-- A customer's token, as SHA-256, and the domain whose accounts from before
-- SCIM its identity provider may take over, in lower case; '' for none.
CREATE TABLE IF NOT EXISTS scim_orgs (
	org    INTEGER PRIMARY KEY REFERENCES orgs (id),
	token  BLOB NOT NULL UNIQUE,
	domain TEXT NOT NULL DEFAULT ''
);

-- A person or group that an identity provider knows. The document is whole in
-- text and hidden; but of a person, login, name and active are those of users.
CREATE TABLE IF NOT EXISTS scim_resources (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of creation
	org      INTEGER NOT NULL REFERENCES orgs (id),
	type     TEXT NOT NULL,
	id       TEXT NOT NULL UNIQUE,
	user_id  INTEGER UNIQUE REFERENCES users (id), -- of a User
	title    TEXT,                                 -- of a Group: its displayName
	external TEXT,
	manager  TEXT,
	version  INTEGER NOT NULL DEFAULT 1,
	created  INTEGER NOT NULL, -- microseconds since 1970
	modified INTEGER NOT NULL,
	schemas  TEXT NOT NULL,    -- a JSON array
	text     BLOB,
	hidden   BLOB
);
CREATE INDEX IF NOT EXISTS scim_resources_list ON scim_resources (org, type, seq);
CREATE INDEX IF NOT EXISTS scim_resources_external ON scim_resources (org, type, scim_fold('externalId', CAST(external AS BLOB)));
CREATE INDEX IF NOT EXISTS scim_resources_title ON scim_resources (org, type, scim_fold('displayName', CAST(title AS BLOB)));
CREATE INDEX IF NOT EXISTS scim_resources_manager ON scim_resources (org, manager);
CREATE INDEX IF NOT EXISTS scim_users_login ON users (org, scim_fold('userName', CAST(login AS BLOB)));

CREATE TABLE IF NOT EXISTS scim_members (
	grp    INTEGER NOT NULL REFERENCES scim_resources (seq) ON DELETE CASCADE,
	member INTEGER NOT NULL REFERENCES scim_resources (seq) ON DELETE CASCADE,
	PRIMARY KEY (grp, member)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS scim_members_member ON scim_members (member, grp);

-- users has no version. Whoever changes what SCIM shows of a person, be it the
-- application itself, moves that of the resource.
CREATE TRIGGER IF NOT EXISTS scim_users_changed AFTER UPDATE OF login, name, active ON users BEGIN
	UPDATE scim_resources SET version = version + 1,
		modified = max(modified + 1000, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000) WHERE user_id = NEW.id;
END;

-- What reads and filters look at: people and groups as SCIM sees them. A text is
-- folded as a BLOB, since of a TEXT with U+0000 the driver shows the beginning
-- alone.
CREATE VIEW IF NOT EXISTS scim_user AS
SELECT r.*, u.login, u.name, u.active, coalesce(nullif(u.name, ''), u.login) AS shown, -- where others refer to it
	scim_fold('userName', CAST(u.login AS BLOB)) AS login_key,
	scim_fold('displayName', CAST(u.name AS BLOB)) AS name_key,
	scim_fold('externalId', CAST(r.external AS BLOB)) AS external_key
FROM scim_resources r JOIN users u ON u.id = r.user_id AND u.org = r.org WHERE r.type = 'User';

CREATE VIEW IF NOT EXISTS scim_group AS
SELECT r.*, NULL AS login, NULL AS name, NULL AS active, coalesce(r.title, '') AS shown, NULL AS login_key,
	scim_fold('displayName', CAST(r.title AS BLOB)) AS name_key,
	scim_fold('externalId', CAST(r.external AS BLOB)) AS external_key
FROM scim_resources r WHERE r.type = 'Group';

-- What a resource refers to, or is referred to by: members, groups, manager.
CREATE VIEW IF NOT EXISTS scim_related AS
SELECT m.grp AS seq, 'members' AS path, x.seq AS other, x.id, x.type, x.shown FROM scim_members m JOIN scim_user x ON x.seq = m.member
UNION ALL
SELECT m.member, 'groups', x.seq, x.id, 'direct', x.shown FROM scim_members m JOIN scim_group x ON x.seq = m.grp
UNION ALL
SELECT r.seq, 'manager', x.seq, x.id, x.type, x.shown FROM scim_resources r JOIN scim_user x ON x.id = r.manager AND x.org = r.org
UNION ALL
SELECT r.seq, 'manager', x.seq, x.id, x.type, x.shown FROM scim_resources r JOIN scim_group x ON x.id = r.manager AND x.org = r.org;
