package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// How much is read at once, and how long a line may be. kube-apiserver's longest
// are those with an object of 3 MiB, its own limit for a request
// (k8s.io/apiserver/pkg/server, MaxRequestBodyBytes), and with lists.
const (
	chunkSize  = 1 << 20
	maxLogLine = 16 << 20
)

// batch is a part of a log that ends with a line.
type batch struct {
	input *input
	order int   // of the input, for what is reported to be in order
	first int64 // number of its first line
	data  []byte
	from  chan []byte // where its buffer goes back
	whole []byte      // its buffer
}

// reader cuts logs into batches. It has a few buffers, which go round, so that
// memory does not grow: chunks, and one for what is longer.
type reader struct {
	ctx      context.Context
	inputs   []*input
	batches  chan batch
	chunks   chan []byte
	long     chan []byte // both hold nil for what is made when it is needed
	progress func(done, total int64)
	done     int64
	total    int64
	problems problems // of whole files, and of lines that are no batch

	input *input // the one that is read
	order int
	line  int64  // number of the next
	rest  []byte // of what has been read: the beginning of a line
}

func newReader(ctx context.Context, inputs []*input, workers int, progress func(done, total int64)) *reader {
	buffers := workers + 2
	r := &reader{
		ctx: ctx, inputs: inputs, progress: progress,
		batches: make(chan batch, buffers+1), chunks: make(chan []byte, buffers), long: make(chan []byte, 1),
	}
	for range buffers {
		r.chunks <- nil
	}
	r.long <- nil
	for _, in := range inputs {
		size := in.size()
		if size == 0 && (in.info == nil || !in.info.Mode().IsRegular()) {
			r.total = 0
			break
		}
		r.total += size
	}
	return r
}

// free takes the buffer of a batch back.
func (r *reader) free(b batch) { b.from <- b.whole }

func (r *reader) readAll() error {
	for i, in := range r.inputs {
		r.input, r.order, r.line = in, i, 1
		if err := r.readInput(); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readInput() error {
	text, err := r.input.open(r.count)
	if err != nil {
		return err
	}
	err = r.cut(text)
	_ = text.Close() // it was only read
	switch {
	case err == nil || r.ctx.Err() != nil:
		return r.ctx.Err()
	case isDamage(err):
		r.problem(r.line, fmt.Sprintf("%s: %v", ReasonDamaged, err))
		return nil
	}
	return logError(err, r.input.name)
}

func (r *reader) count(n int) {
	r.done += int64(n)
	if r.progress != nil && r.ctx.Err() == nil {
		r.progress(r.done, r.total)
	}
}

func (r *reader) problem(line int64, reason string) {
	r.problems.add(problem{order: r.order, Problem: Problem{Log: r.input.name, Line: line, Reason: reason}})
}

// take waits for a buffer.
func (r *reader) take(from chan []byte, size int) ([]byte, error) {
	select {
	case b := <-from:
		if b == nil {
			b = make([]byte, size)
		}
		return b, nil
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
}

// cut sends the lines of a log, in chunks of whole ones.
func (r *reader) cut(text io.Reader) error {
	r.rest = r.rest[:0]
	for {
		b, n, from, err := r.fill(text)
		if b == nil {
			return err
		}
		end := n
		if err == nil {
			end = bytes.LastIndexByte(b[:n], '\n') + 1
			r.rest = append(r.rest, b[end:n]...)
		}
		// There is room: there are not more buffers than that.
		next := r.line + int64(bytes.Count(b[:end], newline))
		r.batches <- batch{input: r.input, order: r.order, first: r.line, data: b[:end], from: from, whole: b}
		r.line = next
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

var newline = []byte{'\n'}

// fill reads a chunk, and more where that has no end of a line. It returns the
// buffer, how much is in it, and whose it is. After an error that is all there is.
func (r *reader) fill(text io.Reader) (b []byte, n int, from chan []byte, err error) {
	from = r.chunks
	if b, err = r.take(from, chunkSize); err != nil {
		return nil, 0, nil, err
	}
	n = copy(b, r.rest)
	r.rest = r.rest[:0]
	n, err = readFull(text, b, n)
	for err == nil && bytes.IndexByte(b[:n], '\n') < 0 {
		switch {
		case b[0] == 0:
			// A hole, which may be longer than any line: its own line tells of it.
			n = copy(b[1:], bytes.TrimLeft(b[:n], "\x00")) + 1
			n, err = readFull(text, b[:max(n, chunkSize)], n)
		case n == len(b) && cap(b) > chunkSize:
			r.problem(r.line, ReasonTooLong)
			r.line++
			n, err = skipLine(text, b)
		default:
			if cap(b) == chunkSize {
				var long []byte
				if long, err = r.take(r.long, maxLogLine); err != nil {
					return nil, 0, nil, err
				}
				copy(long, b[:n])
				from <- b
				b, from = long, r.long
			}
			n, err = readFull(text, b[:min(n+chunkSize, len(b))], n)
		}
	}
	return b, n, from, err
}

// readFull reads until b, which has n bytes, is full. An end is io.EOF, and
// io.ErrUnexpectedEOF that of a compressed file that was cut.
func readFull(text io.Reader, b []byte, n int) (int, error) {
	for n < len(b) {
		read, err := text.Read(b[n:])
		n += read
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// skipLine reads up to the end of a line, and returns how much is behind it, which
// is moved to the front of b.
func skipLine(text io.Reader, b []byte) (int, error) {
	for {
		n, err := text.Read(b[:chunkSize])
		if end := bytes.IndexByte(b[:n], '\n'); end >= 0 {
			return copy(b, b[end+1:n]), err
		}
		if err != nil {
			return 0, err
		}
	}
}
