// A lambda in Go: gives the number of characters of each event's payload on.
package main

/*
#include <cape/plugin.h>
extern cape_status cape_go_emit(struct cape_call* call, void* at, uint64_t bytes);
extern void cape_go_reason(struct cape_call* call, void* at, uint64_t bytes);
extern void cape_go_log(void* at, uint64_t bytes);
*/
import "C"

import (
	"fmt"
	"unicode/utf8"
	"unsafe"
)

// Each event, in order for one subject. An event can run again, after a crash for instance: so what it does
// elsewhere has to be idempotent. An error is a retry with its text.
func answer(subject string, payload []byte) (string, error) {
	characters := utf8.RuneCount(payload)
	log(fmt.Sprintf("%s: %d characters", subject, characters))
	return fmt.Sprint(characters), nil // what `needs = ["..."]` of another lambda gets
}

// What entry.c calls. Bytes of C are copied before Go keeps them.
//
//export process_event
func process_event(call *C.struct_cape_call, event *C.cape_event) (status C.cape_status) {
	defer func() {
		if words := recover(); words != nil {
			status = retry(call, fmt.Sprint("panic: ", words))
		}
	}()
	output, err := answer(string(copied(event.subject)), copied(event.payload))
	if err != nil {
		return retry(call, err.Error())
	}
	at, bytes := borrowed(output)
	return C.cape_go_emit(call, at, bytes)
}

func retry(call *C.struct_cape_call, reason string) C.cape_status {
	at, bytes := borrowed(reason)
	C.cape_go_reason(call, at, bytes)
	return C.CAPE_RETRY
}

func log(line string) {
	at, bytes := borrowed(line)
	C.cape_go_log(at, bytes)
}

func copied(bytes C.cape_bytes) []byte {
	return C.GoBytes(unsafe.Pointer(bytes.ptr), C.int(bytes.len))
}

// For the length of one call: C copies what it wants to keep.
func borrowed(text string) (unsafe.Pointer, C.uint64_t) {
	bytes := append([]byte(text), 0) // so that there is a first one
	return unsafe.Pointer(&bytes[0]), C.uint64_t(len(text))
}

func main() {}
