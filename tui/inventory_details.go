package tui

func newInventoryDetails(w *world, id inventoryID) screen { return newHome(w) }
