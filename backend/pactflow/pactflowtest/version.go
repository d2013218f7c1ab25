package pactflowtest

// profile is what a version does differently.
type profile struct {
	oldPaging  bool              // only pageNumber and pageSize page a list
	listsTeams bool              // a new team is answered with the list of teams
	onlyList   bool              // … and with nothing else, as 200
	duplicates bool              // PUT …/users fails on a current member that is named twice
	roleNames  map[string]string // by uuid
	noAccess   bool              // has the role No Access
}

var profiles = map[string]profile{
	"1.26.0": {oldPaging: true, listsTeams: true, onlyList: true, duplicates: true},
	"1.28.0": {listsTeams: true},
	"1.31.0": {},
	"":       {},
	"2.3.0":  {roleNames: map[string]string{RoleViewer: "Read-Only", RoleGuest: "Viewer"}, noAccess: true},
}
