package server

// Config is what an operator can set, as written: the command line fills it,
// Load adds the environment, Settings checks it. The tags are the reference:
// `name` is the flag, if there is one, `variable` the environment variables, of
// which the first that is set and not empty counts, `std` the default, `mode`
// the one mode in which it means something. A flag wins over the environment,
// and our own names over those of the images that this program replaces.
type Config struct {
	PactFlowURL string `name:"pactflow-url" variable:"ROLLCALL_PACTFLOW_URL PACTFLOW_URL" placeholder:"URL" help:"keep nothing, and stand before the PactFlow at this address: façade mode"`

	Listen      string `name:"listen" variable:"ROLLCALL_LISTEN SHOWCASE_LISTEN_ADDR" std:":8080" placeholder:"ADDRESS" help:"listen address"`
	BaseURL     string `name:"base-url" variable:"ROLLCALL_BASE_URL SHOWCASE_BASE_URL" std:"http://localhost and the port; in façade mode the request's host" placeholder:"URL" help:"external base of meta.location, Location and $$ref"`
	ContextPath string `name:"context-path" variable:"ROLLCALL_CONTEXT_PATH SERVER_SERVLET_CONTEXT_PATH" std:"/scim" placeholder:"PATH" help:"where SCIM is mounted"`
	CORSOrigins string `name:"cors-origins" variable:"ROLLCALL_CORS_ORIGINS SHOWCASE_CORS_ORIGINS" std:"http://localhost:3000,http://localhost:5173" placeholder:"ORIGINS" help:"browser origins that may call, comma-separated; 'none' for none"`
	Proxies     string `name:"trusted-proxies" variable:"ROLLCALL_TRUSTED_PROXIES" placeholder:"ADDRESSES" help:"addresses or networks whose forwarded headers count, comma-separated"`

	Token     string `kong:"-" mode:"directory" variable:"ROLLCALL_TOKEN SCIM_API_TOKEN" help:"bearer tokens, comma-separated; none: open to everybody"`
	TokenFile string `name:"token-file" mode:"directory" variable:"ROLLCALL_TOKEN_FILE" placeholder:"FILE" help:"file of bearer tokens, one a line; made with a random one if it does not exist"`
	TLSCert   string `name:"tls-cert" variable:"ROLLCALL_TLS_CERT" placeholder:"FILE" help:"certificate chain, PEM; reloaded when it changes"`
	TLSKey    string `name:"tls-key" variable:"ROLLCALL_TLS_KEY" placeholder:"FILE" help:"its private key, PEM"`
	RunAs     string `name:"run-as" variable:"ROLLCALL_RUN_AS" placeholder:"UID:GID" help:"started as root: make the data folder theirs and become them before listening"`

	DataDir      string `name:"data" mode:"directory" variable:"ROLLCALL_DATA_DIR SCIM_DATA_DIR" std:"./data" placeholder:"FOLDER" help:"folder of the database, created with mode 0700; with PostgreSQL, of the control socket alone"`
	DatabaseURL  string `name:"database" mode:"directory" variable:"ROLLCALL_DATABASE_URL" placeholder:"URL" help:"PostgreSQL, as postgres://user@host/database or key=value; any number of instances may serve one; none: SQLite in the data folder"`
	DatabasePass string `name:"database-password-file" mode:"directory" variable:"ROLLCALL_DATABASE_PASSWORD_FILE" placeholder:"FILE" help:"file that holds the password for PostgreSQL"`
	DatabaseMost string `name:"database-connections" mode:"directory" variable:"ROLLCALL_DATABASE_CONNECTIONS" std:"16" placeholder:"COUNT" help:"connections to PostgreSQL, at most, of this instance"`
	DatabaseTime string `name:"database-timeout" mode:"directory" variable:"ROLLCALL_DATABASE_TIMEOUT" std:"20s" placeholder:"DURATION" help:"how long one statement in PostgreSQL may take"`
	Migrate      string `name:"migrate" mode:"directory" variable:"ROLLCALL_MIGRATE" std:"auto" placeholder:"WHEN" help:"what a start does with an older schema of the database: auto brings it up to date; off refuses it, and rollcall migrate up does that"`
	HistoryDays  string `name:"history-days" mode:"directory" variable:"ROLLCALL_HISTORY_DAYS" std:"400" placeholder:"DAYS" help:"how long the change log is kept; 0: for ever"`
	UndeleteDays string `name:"undelete-days" mode:"directory" variable:"ROLLCALL_UNDELETE_DAYS" std:"30" placeholder:"DAYS" help:"how long a deleted user can be restored; 0: deleted is gone"`
	Passwords    string `name:"passwords" mode:"directory" variable:"ROLLCALL_PASSWORDS" std:"discard" placeholder:"WHAT" help:"what becomes of passwords: discard, or hash (argon2id)"`
	Profile      string `name:"profile" variable:"ROLLCALL_PROFILE" std:"auto" placeholder:"NAME" help:"how clients' known faults are met; strict is the RFC to the letter; single switches after it, as in auto,-UniqueGroupNames"`
	Schemas      string `name:"schemas" mode:"directory" variable:"ROLLCALL_SCHEMAS" placeholder:"FOLDER" help:"folder of *.json files with further schemas and resource types; SIGHUP reads them again"`

	RateLimit string `name:"rate-limit" variable:"ROLLCALL_RATE_LIMIT" std:"none" placeholder:"RATE" help:"requests a second, and at once, of the tokens that are configured here, such as 50 or 50:200; those of managed tokens are settings of their tenant"`

	Drain string `name:"drain" variable:"ROLLCALL_DRAIN" std:"0s" placeholder:"DURATION" help:"how long a server that is told to stop goes on answering while its readiness says no, so that a load balancer can look elsewhere first"`

	LogLevel        string `name:"log-level" variable:"ROLLCALL_LOG_LEVEL LOGGING_LEVEL_ROOT" std:"INFO" placeholder:"LEVEL" help:"TRACE, DEBUG, INFO, WARN, ERROR, FATAL or OFF"`
	LogFormat       string `name:"log-format" variable:"ROLLCALL_LOG_FORMAT" std:"text on a terminal, else json" placeholder:"FORMAT" help:"text or json"`
	LookingGlass    string `kong:"-" variable:"ROLLCALL_LOOKING_GLASS SCIM_LOOKING_GLASS" std:"true" help:"recording of SCIM exchanges, and the web console at /looking-glass that shows them; false: neither"`
	GlassKeep       string `kong:"-" variable:"ROLLCALL_LOOKING_GLASS_KEEP" std:"10000,7d" help:"how many recorded exchanges are kept, and how many days; in memory 1,000 at most"`
	GlassRate       string `kong:"-" variable:"ROLLCALL_LOOKING_GLASS_RATE" std:"200" help:"exchanges a second above which reads are sampled; writes and errors are kept up to five times that"`
	OIDCIssuer      string `name:"oidc-issuer" mode:"directory" variable:"ROLLCALL_OIDC_ISSUER" placeholder:"URL" help:"issuer whose JWT access tokens (RFC 9068) are accepted beside other tokens; as its tokens have it in iss"`
	OIDCAudience    string `name:"oidc-audience" mode:"directory" variable:"ROLLCALL_OIDC_AUDIENCE" placeholder:"TEXT" help:"whom its tokens must be for (aud)"`
	OIDCScopeClaim  string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_SCOPE_CLAIM" std:"scope, or scp" help:"claim that has the scopes"`
	OIDCScopePrefix string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_SCOPE_PREFIX" help:"what stands before each scope there: rollcall. for rollcall.read; scopes without it are not ours"`
	OIDCScopes      string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_SCOPES" std:"none" help:"scopes of a token that has no such claim"`
	OIDCClients     string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_CLIENTS" std:"any" help:"clients that tokens may be issued to (client_id, azp, appid or cid), comma-separated"`
	OIDCTenantClaim string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_TENANT_CLAIM" std:"none: all are for the default tenant" help:"claim that names the tenant"`
	OIDCLeeway      string `kong:"-" mode:"directory" variable:"ROLLCALL_OIDC_LEEWAY" std:"1m" help:"how far the issuer's clock may be off"`
	OutboundAllow   string `name:"outbound-allow" variable:"ROLLCALL_OUTBOUND_ALLOW" std:"the public Internet alone" placeholder:"NETWORKS" help:"networks and hosts that issuers may be at besides, comma-separated, such as 10.1.0.0/16 or keycloak.internal"`
	OutboundCA      string `name:"outbound-ca" variable:"ROLLCALL_OUTBOUND_CA" placeholder:"FILE" help:"certificates of authorities, PEM, that issuers' certificates may come from, beside the system's"`

	SignInIssuer     string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_ISSUER" help:"issuer where people sign in to the console by OpenID Connect"`
	SignInID         string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_CLIENT_ID" help:"client id of the console there"`
	SignInSecret     string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET" help:"its secret; none: a public client"`
	SignInSecretFile string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE" help:"file that holds the secret"`
	SignInName       string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_NAME" std:"the issuer's host" help:"what the button on the login page calls the issuer"`
	SignInRoles      string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_ROLES_CLAIM" std:"roles" help:"claim of the ID token that says what somebody may"`
	SignInOperators  string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_OPERATORS" help:"values of that claim that let change things, comma-separated; in façade mode they let look"`
	SignInViewers    string `kong:"-" variable:"ROLLCALL_CONSOLE_OIDC_VIEWERS" help:"values of that claim that let look; * is everybody who can sign in"`

	MetricsToken  string `kong:"-" variable:"ROLLCALL_METRICS_TOKEN" help:"token that may read /metrics, and nothing else; none: they are for this machine alone"`
	MetricsListen string `name:"metrics-listen" variable:"ROLLCALL_METRICS_LISTEN" placeholder:"ADDRESS" help:"listen address of /metrics alone; the other address has none then"`
	TraceTo       string `kong:"-" variable:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_ENDPOINT" help:"collector of OpenTelemetry that traces are sent to by OTLP over HTTP; none: there are no traces"`
	TraceProtocol string `kong:"-" variable:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL OTEL_EXPORTER_OTLP_PROTOCOL" std:"http/protobuf" help:"http/protobuf or http/json"`
	TraceExporter string `kong:"-" variable:"OTEL_TRACES_EXPORTER" std:"otlp" help:"otlp, or none for no traces"`
	TraceOff      string `kong:"-" variable:"OTEL_SDK_DISABLED" std:"false" help:"true: no traces, whatever else is set"`

	ConsoleToken string `kong:"-" variable:"ROLLCALL_CONSOLE_TOKEN" help:"token that may look at the web console and change nothing; with it the console answers other machines in open and in façade mode too"`
	MemoryLimit  string `name:"memory-limit" variable:"ROLLCALL_MEMORY_LIMIT" std:"96MiB" placeholder:"SIZE" help:"soft limit of the Go heap; GOMEMLIMIT wins; 'off' for none"`

	ServerPort     string `kong:"-" mode:"facade" variable:"SERVER_PORT" help:"port to listen on, if no address is given"`
	ForwardHeaders string `kong:"-" mode:"facade" variable:"SERVER_FORWARD_HEADERS_STRATEGY" help:"accepted, and has no effect: forwarded headers count from the trusted proxies"`
	DeleteUsers    string `kong:"-" mode:"facade" variable:"PACTFLOW_USER_DELETE" std:"deactivate" help:"what DELETE of a user does: deactivate, or delete"`
	KeepSystem     string `kong:"-" mode:"facade" variable:"PACTFLOW_KEEP_SYSTEM_ACCOUNTS" std:"true" help:"system accounts stay in a team whose members are replaced"`
	UserNameFrom   string `kong:"-" mode:"facade" variable:"SCIM_USERNAME_FALLBACK" std:"none" help:"userName of people that have none: none, email or id"`
	ListCache      string `kong:"-" mode:"facade" variable:"SCIM_LIST_CACHE_SECONDS" std:"30" help:"how long the index of a list answers look-ups, in seconds; 0: each look-up reads the list"`
	UpstreamCA     string `name:"upstream-ca" mode:"facade" variable:"ROLLCALL_UPSTREAM_CA" placeholder:"FILE" help:"certificates of authorities, PEM, that PactFlow's certificate may come from, beside the system's"`
	UpstreamCalls  string `name:"upstream-calls" mode:"facade" variable:"ROLLCALL_UPSTREAM_CALLS" std:"8" placeholder:"COUNT" help:"calls to PactFlow under way at once"`
	UpstreamTime   string `name:"upstream-timeout" mode:"facade" variable:"ROLLCALL_UPSTREAM_TIMEOUT" std:"30s" placeholder:"DURATION" help:"how long one call to PactFlow may take"`
	LogWire        string `name:"log-wire" mode:"facade" variable:"ROLLCALL_LOG_WIRE LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5" std:"that of the log" placeholder:"LEVEL" help:"DEBUG logs the calls to PactFlow, tokens masked; INFO and above does not"`

	sources map[string]string // field → where its value came from
}
