// A filter: greets in responses, and asks who wants to see what is private.
//
// Configuration: the greeting, as it is.
package main

import (
	"errors"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() { proxywasm.SetVMContext(&vm{}) }

type vm struct{ types.DefaultVMContext }

// The plugin: one for each configuration and worker.
type plugin struct {
	types.DefaultPluginContext
	greeting string
}

// One request and its response.
type exchange struct {
	types.DefaultHttpContext
	greeting string
}

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	text, err := proxywasm.GetPluginConfiguration()
	if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogErrorf("configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.greeting = string(text)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &exchange{greeting: p.greeting} }

func (e *exchange) OnHttpRequestHeaders(int, bool) types.Action {
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	if _, err := proxywasm.GetHttpRequestHeader("authorization"); err != nil && strings.HasPrefix(path, "/private") {
		headers := [][2]string{{"www-authenticate", "Bearer"}, {"content-type", "text/plain"}}
		if err := proxywasm.SendHttpResponse(401, headers, []byte("Who are you?\n"), -1); err != nil {
			panic(err)
		}
		return types.ActionPause
	}
	if err := proxywasm.ReplaceHttpRequestHeader("x-seen-by", "{{name}}"); err != nil {
		panic(err)
	}
	return types.ActionContinue
}

func (e *exchange) OnHttpResponseHeaders(int, bool) types.Action {
	if err := proxywasm.ReplaceHttpResponseHeader("x-greeting", e.greeting); err != nil {
		panic(err)
	}
	return types.ActionContinue
}
