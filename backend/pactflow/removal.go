package pactflow

import (
	"context"
	"slices"
)

// sift carries out operations that PactFlow has refused together, and returns how
// many it has made. To remove who is no member, or does not exist any more, is to
// do nothing, but PactFlow may refuse all that comes with it: so first goes what
// can't be that, and then each removal by itself. An addition that is refused
// comes before any removal is made.
func (s *teams) sift(ctx context.Context, t *team, ops []memberOp, cause error) (int, error) {
	members := t.members()
	tried := len(ops)
	for _, doubtful := range []func(memberOp) bool{
		func(op memberOp) bool { return op.Op == "remove" && !slices.Contains(members, op.Value.UUID) },
		func(op memberOp) bool { return op.Op == "remove" },
	} {
		rest := slices.DeleteFunc(slices.Clone(ops), doubtful)
		if len(rest) == tried {
			continue
		}
		tried = len(rest)
		if tried > 0 {
			cause = s.patch(ctx, t.UUID, rest)
		}
		switch status := refused(cause); {
		case tried == 0, cause == nil:
			n, err := s.dismiss(ctx, t.UUID, of(slices.DeleteFunc(slices.Clone(ops), func(op memberOp) bool { return !doubtful(op) }), "remove"))
			return tried + n, err
		case status != 400 && status != 422:
			return 0, cause
		}
	}
	return 0, cause
}

// dismiss removes members one by one, and returns how many it came to. Who is no
// member, or does not exist, is removed already.
func (s *teams) dismiss(ctx context.Context, team string, ids []string) (int, error) {
	for i, id := range ids {
		if err := s.write(ctx, "DELETE", teamsPath+"/"+team+"/users/"+id, nil); err != nil && !gone(err) {
			return i, err
		}
	}
	return len(ids), nil
}
