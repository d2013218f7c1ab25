-- The application's own tables, as they were before SCIM.
CREATE TABLE IF NOT EXISTS orgs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
	id     INTEGER PRIMARY KEY,
	org    INTEGER NOT NULL REFERENCES orgs (id),
	login  TEXT NOT NULL,
	name   TEXT,
	active BOOLEAN DEFAULT TRUE, -- NULL: never said, which lets one in
	UNIQUE (org, login)
);
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
