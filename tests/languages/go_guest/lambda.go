// A lambda in Go that does as its payload says. Its runtime has to live in the profile of a plugin without grants.
package main

/*
#include <cape/plugin.h>
extern cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t n);
extern void cape_go_reason(struct cape_call* call, void* at, uint64_t n);
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

//export process_event
func process_event(call *C.struct_cape_call, payload unsafe.Pointer, size C.int) (status C.cape_status) {
	defer func() {
		if words := recover(); words != nil {
			reason := []byte(fmt.Sprint("panic: ", words))
			C.cape_go_reason(call, unsafe.Pointer(&reason[0]), C.uint64_t(len(reason)))
			status = C.CAPE_RETRY
		}
	}()
	output := []byte(answer(string(C.GoBytes(payload, size))) + "\n")
	return C.cape_go_emit(call, unsafe.Pointer(&output[0]), C.uint64_t(len(output)-1))
}

func answer(payload string) string {
	switch payload {
	case "panic":
		panic("on purpose")
	case "die":
		go func() { panic("where nobody recovers") }()
		time.Sleep(time.Minute)
	case "nil":
		var nothing *int
		return fmt.Sprint(*nothing)
	case "work":
		return work()
	case "spin":
		// Longer than a goroutine runs without being interrupted by a signal.
		for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
		}
		return "done"
	case "file":
		_, err := os.ReadFile("/etc/passwd")
		return fmt.Sprint(err != nil)
	}
	return payload
}

// Goroutines, timers, locks, and enough garbage that it is collected.
func work() string {
	var all sync.WaitGroup
	var lock sync.Mutex
	bytes := 0
	for i := 0; i < 64; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			room := make([]byte, 1<<20)
			time.Sleep(time.Millisecond)
			lock.Lock()
			bytes += len(room)
			lock.Unlock()
		}()
	}
	all.Wait()
	runtime.GC()
	return fmt.Sprint(bytes)
}

func main() {}
