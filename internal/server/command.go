package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// Exit codes of the program.
const (
	exitStopped = 0 // stopped as asked
	exitFailed  = 1 // could not start or run
	exitUsage   = 2 // wrong usage
)

// Main runs the program with its arguments, without the program's name, and
// its environment ("NAME=value"), and returns the exit code. It stops when ctx
// ends or the process gets SIGTERM or SIGINT.
func Main(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var cli struct {
		Serve       struct{ Config } `cmd:"" default:"withargs" help:"Serve the directory, or SCIM in front of PactFlow (what rollcall does without a command)."`
		Status      struct{ Config } `cmd:"" help:"Say what serves the data folder, or the PostgreSQL that is configured."`
		Healthcheck struct{ Config } `cmd:"" help:"Ask the server that is configured so how it is; exit 0 if it is well."`
		Migrate     migrateFlags     `cmd:"" help:"Bring the database to this program's schema, or say what that would do."`
		Copy        copyFlags        `cmd:"" help:"Copy a whole directory into another database, also from any SCIM server, and compare the two; an interrupted copy goes on when it is run again."`
		Export      exportFlags      `cmd:"" help:"Write the whole directory to a file, a JSON record a line, without what is never returned."`
		Import      importFlags      `cmd:"" help:"Bring an export into an empty directory, or add to one what it lacks."`
		Backup      backupFlags      `cmd:"" help:"Write a consistent copy of the SQLite database to a file, also while it is served."`
		Restore     restoreFlags     `cmd:"" help:"Bring a backup back into the data folder."`
		Tenant      tenantFlags      `cmd:"" help:"Add, list, show, change and remove tenants: directories of their own in one server."`
		Token       tokenFlags       `cmd:"" help:"Make, list, rotate and revoke the bearer tokens of tenants."`
		Breaker     breakerFlags     `cmd:"" help:"Show, approve and reset what holds mass changes."`
		Users       usersFlags       `cmd:"" help:"Find and restore deleted users."`
		Audit       auditFlags       `cmd:"" help:"Say who changed what, prove that nothing in the log of that was altered, and export it."`
		Erase       eraseFlags       `cmd:"" help:"Erase all that is kept of a deleted user: for good, and provably."`
		Why         whyFlags         `cmd:"" help:"Say whether a person is there, and if not, why; exit 1 if not, 3 if it can't be found out."`
		Compare     compareFlags     `cmd:"" help:"Compare a list of people with the directory; exit 1 if somebody is missing, 3 if it can't be found out."`
		Completion  completionFlags  `cmd:"" help:"Print what lets bash, zsh or fish complete command lines of rollcall."`
		Replay      replayFlags      `cmd:"" help:"Play recorded conversations of clients against a SCIM server; exit 1 if an answer is not what its client needs."`
		Pactflow    struct {
			Doctor doctorFlags `cmd:"" help:"Try a PactFlow and the token for it, and say what will work; changes nothing without --write."`
		} `cmd:"" help:"Check the PactFlow behind a façade."`
		Bench            bench.Command `cmd:"" help:"Measure a SCIM server: rates, latencies, and what its processes use."`
		PactflowEmulator emulatorFlags `cmd:"" help:"Serve an emulator of PactFlow's admin API, for trials and demonstrations."`
		Version          struct{}      `cmd:"" help:"Print the version."`
	}
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("rollcall"),
		kong.Description("A SCIM 2.0 service provider: identity providers push users and groups into it."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.ValueFormatter(formatHelp),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		fmt.Fprintln(stderr, "rollcall:", err)
		return exitFailed
	}
	call, err := parser.Parse(args)
	switch {
	case exited: // --help
		return exitStopped
	case err != nil:
		fmt.Fprintln(stderr, "rollcall:", err)
		fmt.Fprintln(stderr, `rollcall: "rollcall serve --help" lists what can be set`)
		return exitUsage
	}
	words := strings.Fields(call.Command())
	command := words[0]
	switch command {
	case "version":
		fmt.Fprintln(stdout, "rollcall", Version())
		return exitStopped
	case "completion":
		cli.Completion.run(parser.Model, stdout)
		return exitStopped
	case "copy":
		return cli.Copy.run(ctx, environ, stdout, stderr)
	case "bench":
		return runBench(ctx, &cli.Bench, words[1], environ, stdout, stderr)
	case "replay":
		return cli.Replay.run(ctx, environ, stdout, stderr)
	case "pactflow":
		return cli.Pactflow.Doctor.run(ctx, environ, stdout, stderr)
	case "pactflow-emulator":
		return cli.PactflowEmulator.run(ctx, environ, stdout, stderr)
	}
	config := map[string]*Config{"serve": &cli.Serve.Config, "status": &cli.Status.Config, "healthcheck": &cli.Healthcheck.Config, "migrate": &cli.Migrate.Config,
		"export": &cli.Export.Config, "import": &cli.Import.Config, "backup": &cli.Backup.Config, "restore": &cli.Restore.Config,
		"tenant": &cli.Tenant.Config, "token": &cli.Token.Config, "breaker": &cli.Breaker.Config, "users": &cli.Users.Config, "audit": &cli.Audit.Config, "erase": &cli.Erase.Config, "why": &cli.Why.Config, "compare": &cli.Compare.Config}[command]
	asks := command == "why" || command == "compare"
	own := environ
	if asks { // to them ROLLCALL_TOKEN is one to ask with
		own = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "ROLLCALL_TOKEN=") })
	}
	warnings, err := config.Load(own)
	if err != nil {
		fmt.Fprintln(stderr, "rollcall:", err)
		if asks {
			return exitUsage
		}
		return exitFailed
	}
	settings, err := config.Settings()
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "rollcall:", line)
		}
		if asks { // 1 says that somebody is missing
			return exitUsage
		}
		return usageOr(err)
	}
	if settings.PactFlow != nil && slices.Contains([]string{"status", "tenant", "token", "breaker", "users", "audit", "erase", "migrate", "export", "import", "backup", "restore"}, command) {
		fmt.Fprintln(stderr, "rollcall: in façade mode there is no data folder: PactFlow keeps the people")
		return exitFailed
	}
	switch command {
	case "audit":
		return cli.Audit.run(ctx, words[1], settings, stdout, stderr)
	case "why":
		return cli.Why.run(ctx, settings, environ, stdout, stderr)
	case "compare":
		return cli.Compare.run(ctx, settings, environ, stdout, stderr)
	case "status":
		if settings.Database != nil {
			err = fleetStatus(ctx, settings, stdout)
		} else {
			err = askStatus(ctx, settings.DataDir, stdout)
		}
	case "migrate":
		return cli.Migrate.run(ctx, words[1], settings, stdout, stderr)
	case "healthcheck":
		err = checkHealth(ctx, settings)
	case "export":
		err = cli.Export.run(ctx, settings, stdout, stderr)
	case "import":
		err = cli.Import.run(ctx, settings, os.Stdin, stdout, stderr)
	case "backup":
		err = cli.Backup.run(ctx, settings, stdout)
	case "restore":
		err = cli.Restore.run(ctx, settings, stdout)
	case "tenant":
		err = cli.Tenant.run(ctx, words[1], settings, stdout, stderr)
	case "token":
		err = cli.Token.run(ctx, words[1], settings, stdout, stderr)
	case "breaker":
		err = cli.Breaker.run(ctx, words[1], settings, stdout, stderr)
	case "erase":
		err = cli.Erase.run(ctx, settings, stdout)
	case "users":
		err = cli.Users.run(ctx, words[1], settings, stdout)
	default:
		return serve(ctx, settings, warnings, stdout, stderr)
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitStopped
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "rollcall:", err)
		return exitUsage
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "rollcall:", line)
	}
	return exitFailed
}

// usageOr returns exitUsage if a fault is on the command line.
func usageOr(err error) int {
	var list interface{ Unwrap() []error }
	if errors.As(err, &list) {
		for _, fault := range list.Unwrap() {
			var p *problem
			if errors.As(fault, &p) && strings.HasPrefix(p.source, "--") {
				return exitUsage
			}
		}
	}
	return exitFailed
}

// serve runs the server.
func serve(ctx context.Context, s Settings, warnings []string, stdout, stderr io.Writer) int {
	log := newLogger(stderr, s)
	for _, w := range warnings {
		log.Warn(w)
	}
	srv, err := Open(ctx, s, log)
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("stopped while starting")
		return exitStopped
	case err != nil:
		fatal(log, err)
		if s.LogLevel > levelFatal { // a start that fails is never silent
			fmt.Fprintln(stderr, "rollcall:", err)
		}
		return exitFailed
	}
	defer srv.Close()
	what := slog.String("data", s.DataDir)
	switch {
	case s.PactFlow != nil:
		what = slog.String("pactflow", s.PactFlow.URL.String())
	case s.Database != nil:
		what = slog.String("database", s.Database.Address)
	}
	log.Info("serving", "version", Version(), "listen", srv.Addr().String(), "base", srv.Base(), what, "profile", s.Profile.Name)
	if srv.tls == nil && !loopback(srv.Addr()) {
		log.Warn("plain HTTP on an address that is not loopback: tokens and personal data are readable on the way; " +
			"put a proxy with HTTPS before it or set ROLLCALL_TLS_CERT and ROLLCALL_TLS_KEY")
	}
	if f, ok := stdout.(*os.File); s.TokenFile != "" || ok && isTerminal(f) {
		srv.greet(stdout)
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-reload:
				if err := srv.LoadSchemas(); err != nil {
					log.Error("the schemas were not reloaded; what was served stays", "error", err)
				} else {
					log.Info("schemas reloaded")
				}
			}
		}
	}()
	if err := srv.Serve(ctx); err != nil {
		fatal(log, err)
		return exitFailed
	}
	log.Info("stopped")
	return exitStopped
}

// greet tells a person how to call the server.
func (srv *Server) greet(out io.Writer) {
	header := ""
	switch {
	case srv.s.PactFlow != nil:
		header = ` -H "Authorization: Bearer $TOKEN_OF_PACTFLOW"`
	case srv.s.TokenFile != "":
		header = ` -H "Authorization: Bearer $(head -n 1 ` + srv.s.TokenFile + `)"`
	case !srv.isOpen():
		header = ` -H "Authorization: Bearer $SCIM_API_TOKEN"`
	}
	fmt.Fprintf(out, "\n  Rollcall serves SCIM 2.0 at %s\n\n  curl%s %s/Users\n\n", srv.base, header, srv.base)
	if srv.s.LookingGlass {
		fmt.Fprintf(out, "  What happens, and why: %s%s\n\n", strings.TrimSuffix(strings.TrimSuffix(srv.base, "/v2"), srv.s.Mount), console.Path)
	}
}

// checkHealth asks the server that the settings describe, from this machine.
func checkHealth(ctx context.Context, s Settings) error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// The certificate is made for another name than that of this machine's
	// loopback, and nothing secret is sent or believed.
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}} //nolint:gosec // see above
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not well: %s", req.URL, resp.Status)
	}
	return nil
}

// Version returns the version that the program was built as.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// help prints kong's help, and after it the variables that have no flag.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	if sel := ctx.Selected(); sel == nil || sel.Name != "serve" {
		return nil
	}
	var b strings.Builder
	b.WriteString("\nIn the environment only:\n")
	for _, f := range fields() {
		if f.flag == "" {
			fmt.Fprintf(&b, "  %s\n        %s%s\n", strings.Join(f.env, ", "), strings.ReplaceAll(f.help, "$$", "$"), standard(f.std))
		}
	}
	b.WriteString("\nA flag wins over the environment, a ROLLCALL_ variable over the others. An empty variable is an unset one.\n")
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

func formatHelp(v *kong.Value) string {
	text := v.Help + standard(v.Tag.Get("std"))
	if names := v.Tag.Get("variable"); names != "" {
		text += " [" + strings.ReplaceAll(names, " ", ", ") + "]"
	}
	return text
}

func standard(std string) string {
	if std == "" {
		return ""
	}
	return " (default: " + std + ")"
}
