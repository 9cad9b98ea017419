package main

import (
	"slices"
	"sync"
)

// A consumer in a group, which reads and commits by itself.
type member struct {
	mutex       sync.Mutex
	partitions  []int32
	assignments int
	records     [][2]int64
	failure     error
	// Leaves the group and ends what reads.
	close func() error
}

type members map[string]*member

func (m members) join(r request, start func(request, *member) error) (any, error) {
	joining := &member{partitions: []int32{}, records: [][2]int64{}}
	if err := start(r, joining); err != nil {
		return nil, err
	}
	m[r.Member] = joining
	return object{}, nil
}

func (m members) leave(r request) (any, error) {
	leaving := m[r.Member]
	delete(m, r.Member)
	return object{}, leaving.close()
}

// What it owns, how often it was told, and what it read and committed since the last time it was asked.
func (m *member) poll() object {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	records := m.records
	m.records = [][2]int64{}
	told := object{"partitions": slices.Clone(m.partitions), "assignments": m.assignments, "records": records}
	if m.failure != nil {
		told["failure"] = m.failure.Error()
	}
	return told
}

func (m *member) assigned(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.assignments++
	m.partitions = append(m.partitions, partitions...)
	slices.Sort(m.partitions)
}

func (m *member) revoked(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.partitions = slices.DeleteFunc(m.partitions, func(one int32) bool { return slices.Contains(partitions, one) })
}

func (m *member) committed(partition int32, offset int64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.records = append(m.records, [2]int64{int64(partition), offset})
}

func (m *member) failed(err error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.failure = err
}
