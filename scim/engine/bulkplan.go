package engine

import "slices"

// plan returns the operations in the order in which they are carried out:
// that of the request, except that an operation waits for those whose bulkIds
// it refers to (RFC 7644 §3.7). Operations that refer to each other in a
// circle come as one group.
//
// needs lists for each operation those it waits for.
func plan(needs [][]int) [][]int {
	groups := circles(needs)
	of := make([]int, len(needs)) // operation → its group
	for g, group := range groups {
		slices.Sort(group)
		for _, i := range group {
			of[i] = g
		}
	}
	waiting := make([]int, len(groups))
	wakes := make([][]int, len(groups))
	for i, list := range needs {
		for _, j := range list {
			if of[i] != of[j] {
				waiting[of[i]]++
				wakes[of[j]] = append(wakes[of[j]], of[i])
			}
		}
	}
	var ready, order []int // ready: by first operation, latest first
	rank := func(a, b int) int { return groups[b][0] - groups[a][0] }
	push := func(g int) {
		at, _ := slices.BinarySearchFunc(ready, g, rank)
		ready = slices.Insert(ready, at, g)
	}
	for g := range groups {
		if waiting[g] == 0 {
			push(g)
		}
	}
	for len(ready) > 0 {
		g := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		order = append(order, g)
		for _, w := range wakes[g] {
			if waiting[w]--; waiting[w] == 0 {
				push(w)
			}
		}
	}
	out := make([][]int, len(order))
	for i, g := range order {
		out[i] = groups[g]
	}
	return out
}

// circles returns the strongly connected components of the graph (Tarjan's
// algorithm).
func circles(needs [][]int) [][]int {
	const unseen = -1
	n := len(needs)
	number, low, onStack := make([]int, n), make([]int, n), make([]bool, n)
	for i := range number {
		number[i] = unseen
	}
	var stack []int
	var groups [][]int
	next := 0
	var visit func(int)
	visit = func(i int) {
		number[i], low[i] = next, next
		next++
		stack, onStack[i] = append(stack, i), true
		for _, j := range needs[i] {
			if number[j] == unseen {
				visit(j)
				low[i] = min(low[i], low[j])
			} else if onStack[j] {
				low[i] = min(low[i], number[j])
			}
		}
		if low[i] != number[i] {
			return
		}
		var group []int
		for {
			j := stack[len(stack)-1]
			stack, onStack[j] = stack[:len(stack)-1], false
			group = append(group, j)
			if j == i {
				break
			}
		}
		groups = append(groups, group)
	}
	for i := range needs {
		if number[i] == unseen {
			visit(i)
		}
	}
	return groups
}
