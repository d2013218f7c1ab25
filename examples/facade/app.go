package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// app is the application: an API for people and teams that knows nothing of
// SCIM. It stands for one that is there already; only its JSON matters.
//
//	GET, POST        /people   /teams           a list without a team's people
//	GET, PUT, DELETE /people/no7
//	GET, PATCH, DELETE       /teams/no8           {"title":…,"reset":true,"add":["no7"],"remove":[…]}
type app struct {
	tokens []string // of those who may call; nil: everybody

	mu     sync.Mutex
	people []*record
	teams  []*record
	last   int
}

// record is a person or a team.
type record struct {
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"` // by which a person logs in
	Title   string    `json:"title,omitempty"`
	Works   *bool     `json:"works,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	Since   time.Time `json:"since"`
	Changed time.Time `json:"changed"`
	Teams   []link    `json:"teams,omitempty"`
	People  []link    `json:"people,omitempty"`
}

type link struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// edit is what a client may send.
type edit struct {
	Name, Title, Ref *string
	Works            *bool
	Reset            bool
	Add, Remove      []string
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if a.tokens != nil && !slices.Contains(a.tokens, token) {
		refuse(w, http.StatusUnauthorized, map[string]any{"error": "who are you?"})
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	list := map[string]*[]*record{"people": &a.people, "teams": &a.teams}[kind]
	if list == nil {
		refuse(w, http.StatusNotFound, nil)
		return
	}
	var in edit
	if r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(w, http.StatusBadRequest, map[string]any{"error": "invalid JSON"})
			return
		}
		if unknown := a.unknown(in.Add); unknown != nil {
			refuse(w, http.StatusUnprocessableEntity, map[string]any{"type": "/problems/unknown-people", "detail": strings.Join(unknown, " ")})
			return
		}
	}
	if id == "" && r.Method == "POST" {
		a.last++
		it := &record{ID: "no" + strconv.Itoa(a.last)}
		a.edit(it, in)
		it.Since = it.Changed
		*list = append(*list, it)
		answer(w, http.StatusCreated, a.show(it, true))
		return
	} else if id == "" {
		all := []record{}
		for _, it := range *list {
			all = append(all, a.show(it, false))
		}
		answer(w, http.StatusOK, all)
		return
	}
	i := slices.IndexFunc(*list, func(it *record) bool { return it.ID == id })
	if i < 0 {
		refuse(w, http.StatusNotFound, map[string]any{"error": "nothing there"})
		return
	}
	it := (*list)[i]
	switch r.Method {
	case "DELETE":
		for _, t := range a.teams {
			a.edit(t, edit{Title: &t.Title, Ref: &t.Ref, Remove: []string{id}})
		}
		*list = slices.Delete(*list, i, i+1)
	case "PATCH":
		if in.Title == nil {
			in.Title, in.Ref = &it.Title, &it.Ref
		}
		a.edit(it, in)
	case "PUT":
		a.edit(it, in)
	}
	answer(w, http.StatusOK, a.show(it, true))
}

func (a *app) unknown(ids []string) (list []string) {
	for _, id := range ids {
		if !slices.ContainsFunc(a.people, func(p *record) bool { return p.ID == id }) {
			list = append(list, id)
		}
	}
	return list
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// edit changes a record, and its time if that makes a difference.
func (a *app) edit(it *record, in edit) {
	was := *it
	it.Name, it.Title, it.Ref, it.Works = text(in.Name), text(in.Title), text(in.Ref), in.Works
	it.People = slices.DeleteFunc(slices.Clone(it.People), func(l link) bool {
		return slices.Contains(in.Remove, l.ID) || in.Reset && !slices.Contains(in.Add, l.ID)
	})
	for _, id := range in.Add {
		if !slices.ContainsFunc(it.People, func(l link) bool { return l.ID == id }) {
			it.People = append(it.People, link{ID: id})
		}
	}
	same := was.Name == it.Name && was.Title == it.Title && was.Ref == it.Ref && slices.Equal(was.People, it.People) &&
		(was.Works == nil) == (it.Works == nil) && (was.Works == nil || *was.Works == *it.Works)
	if !same || was.Changed.IsZero() {
		it.Changed = time.Now().UTC().Truncate(time.Millisecond)
		if !it.Changed.After(was.Changed) {
			it.Changed = was.Changed.Add(time.Millisecond)
		}
	}
}

// show returns a record with the names of what it refers to.
func (a *app) show(it *record, whole bool) record {
	r := *it
	r.People = nil
	for _, t := range a.teams {
		if slices.ContainsFunc(t.People, func(l link) bool { return l.ID == it.ID }) {
			r.Teams = append(r.Teams, link{t.ID, t.Title})
		}
	}
	for _, l := range it.People {
		i := slices.IndexFunc(a.people, func(p *record) bool { return p.ID == l.ID })
		if whole {
			r.People = append(r.People, link{l.ID, cmp.Or(a.people[i].Title, a.people[i].Name)})
		}
	}
	return r
}

func refuse(w http.ResponseWriter, status int, why map[string]any) { answer(w, status, why) }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
