package tui

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// inventoryQueue is how many blocks may wait to be shown: more than there ever
// are, so that the inventory is not held open for as long as the screen is busy.
const inventoryQueue = 4096

// inventoryLoad reads an inventory in a goroutine of its own.
type inventoryLoad struct {
	blocks chan *inventoryBlock
	cancel context.CancelFunc
	stamp  inventoryStamp // of what is being read
	err    error          // once blocks is closed
}

// inventoryGCPercent is debug.SetGCPercent while an inventory is read.
const inventoryGCPercent = 12

// inventoryStamp tells whether an inventory has changed.
type inventoryStamp struct {
	at   time.Time
	size int64
}

func inventoryStampOf(dir string) inventoryStamp {
	info, err := os.Stat(store.InventoryPath(dir))
	if err != nil {
		return inventoryStamp{}
	}
	return inventoryStamp{info.ModTime(), info.Size()}
}

// startInventoryLoad begins to read the inventory of a PKI directory.
func startInventoryLoad(ctx context.Context, dir string, now time.Time) *inventoryLoad {
	ctx, cancel := context.WithCancel(ctx)
	l := &inventoryLoad{blocks: make(chan *inventoryBlock, inventoryQueue), cancel: cancel}
	go func() {
		defer cancel()
		defer close(l.blocks)
		defer caughtIn(&l.err)
		l.stamp = inventoryStampOf(dir) // before: what changes while it is read is read again
		l.err = l.read(ctx, dir, now)
		debug.FreeOSMemory() // the garbage of the reading, which nothing needs the room of
	}()
	return l
}

func (l *inventoryLoad) read(ctx context.Context, dir string, now time.Time) error {
	// A row of the database is three kilobytes of garbage and fifty bytes that
	// stay, and what the heap grows to now it takes for the rest of the program.
	// Collecting more often costs a fifth of the time that the reading takes.
	debug.SetGCPercent(inventoryGCPercent)
	defer debug.SetGCPercent(gcPercent) // not what it was: that may be another reading's
	filler := newInventoryFiller()
	send := func() error {
		select {
		case l.blocks <- filler.take():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := ca.Each(ctx, ca.ListOptions{Dir: dir, Now: now}, func(e *ca.Entry) error {
		if filler.add(e); filler.isFull() {
			return send()
		}
		return nil
	})
	if err == nil && len(filler.block.rows) > 0 {
		err = send()
	}
	return err
}

// inventoryBlockMsg brings one more block, inventoryLoadedMsg the end.
type (
	inventoryBlockMsg struct {
		load  *inventoryLoad
		block *inventoryBlock
	}
	inventoryLoadedMsg struct{ load *inventoryLoad }
)

// next waits for what comes next.
func (l *inventoryLoad) next() tea.Msg {
	if block, ok := <-l.blocks; ok {
		return inventoryBlockMsg{l, block}
	}
	return inventoryLoadedMsg{l}
}
