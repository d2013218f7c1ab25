package server

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// usersFlags are the arguments of "rollcall users …".
type usersFlags struct {
	Config
	Tenant string `name:"tenant" placeholder:"NAME" help:"whose users (default: the tenant \"default\")"`

	Deleted struct {
		Name string `arg:"" optional:"" help:"only those with this userName or id"`
	} `cmd:"" help:"List the deleted users that can be restored, the last deleted first, 100 at most."`
	Restore struct {
		Name string `arg:"" help:"userName or id of the deleted user"`
		As   string `name:"as" placeholder:"NAME" help:"give this userName, for when the old one is taken"`
	} `cmd:"" help:"Give a deleted user back: the same id, profile and groups."`
}

// run carries out "rollcall users verb".
func (f *usersFlags) run(ctx context.Context, verb string, s Settings, out io.Writer) error {
	if verb == "deleted" {
		r, err := administer(ctx, s, order{Do: verb, Tenant: f.Tenant, Name: f.Deleted.Name})
		if err != nil {
			return err
		}
		return listDeleted(out, f.Deleted.Name, r, s)
	}
	r, err := administer(ctx, s, order{Do: verb, Tenant: f.Tenant, Name: f.Restore.Name, As: f.Restore.As})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "restored %s as %q; groups: %d\n", r.ID, printable(r.Name), r.Groups)
	return err
}

func listDeleted(out io.Writer, name string, r report, s Settings) error {
	if len(r.Deleted) == 0 && name != "" {
		_, err := fmt.Fprintf(out, "no deleted user that can be restored is called %q or has that id\n", printable(name))
		return err
	}
	if len(r.Deleted) == 0 {
		_, err := fmt.Fprintf(out, "no deleted user can be restored (ROLLCALL_UNDELETE_DAYS=%d)\n", s.UndeleteDays)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USERNAME\tID\tDELETED\tUNTIL")
	for _, d := range r.Deleted {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(d.Name), printable(d.ID), d.Time.Format(time.RFC3339), d.Until.Format(time.RFC3339))
	}
	return w.Flush()
}
