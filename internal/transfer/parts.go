package transfer

// Parts returns the parts of a database's records that are behind a position,
// in their order: the kinds of each tenant, the first perhaps from the middle.
func Parts(h Header, from Position) (list []Position) {
	begun := from == Position{}
	for _, t := range h.Tenants {
		for _, k := range order {
			switch {
			case begun:
				list = append(list, Position{Tenant: t.Name, Kind: k})
			case t.Name == from.Tenant && k == from.Kind:
				list = append(list, from)
				begun = true
			}
		}
	}
	return list
}
