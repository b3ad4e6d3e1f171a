// A filter that shows a page of maintenance for as long as an entry of a shared map says so.
//
// Configuration: the name of the map, "switches" if there is none. An entry `maintenance` of the map
// stops every request with the status 503 and the entry's value as text; an entry
// `maintenance/HOST` stops those to one host only. Whoever may write to the map switches all workers
// at once: an operator, a function, another filter. Nothing is reloaded.
package main

import (
	"errors"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"wasimap"
)

func main() {}

func init() { proxywasm.SetVMContext(&vm{}) }

type vm struct{ types.DefaultVMContext }

// One per configuration and worker.
type plugin struct {
	types.DefaultPluginContext
	switches wasimap.Map
}

// One request.
type request struct {
	types.DefaultHttpContext
	switches wasimap.Map
}

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	name := "switches"
	if text, err := proxywasm.GetPluginConfiguration(); err == nil {
		name = strings.TrimSpace(string(text))
	} else if !errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogErrorf("configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	var err error
	if p.switches, err = wasimap.Open(name, wasimap.Read); err != nil {
		proxywasm.LogErrorf("map %s: %v; is it granted, to read?", name, err)
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &request{switches: p.switches} }

func (r *request) OnHttpRequestHeaders(int, bool) types.Action {
	host, _ := proxywasm.GetHttpRequestHeader(":authority")
	for _, key := range []string{"maintenance", "maintenance/" + host} {
		text, _, err := r.switches.Get([]byte(key))
		switch err {
		case nil:
			return answer(503, text)
		case wasimap.ErrNoEntry:
		default:
			proxywasm.LogErrorf("%s: %v", key, err)
			return answer(500, []byte("cannot read the switches\n"))
		}
	}
	return types.ActionContinue
}

func answer(status uint32, text []byte) types.Action {
	headers := [][2]string{{"content-type", "text/plain; charset=utf-8"}}
	if err := proxywasm.SendHttpResponse(status, headers, text, -1); err != nil {
		proxywasm.LogErrorf("answering: %v", err)
	}
	return types.ActionPause
}
