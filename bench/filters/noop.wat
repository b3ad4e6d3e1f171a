;; noop: is asked at every step of a request and a response, and says "go on". Its cost is that of
;; asking. What it proves: nothing but that it was loaded, for it leaves no trace.
(module
  (memory (export "memory") 1)

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) unreachable)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    i32.const 0)
  (func (export "proxy_on_request_body") (param $context i32) (param $size i32) (param $end i32) (result i32)
    i32.const 0)
  (func (export "proxy_on_request_trailers") (param $context i32) (param $count i32) (result i32)
    i32.const 0)
  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    i32.const 0)
  (func (export "proxy_on_response_body") (param $context i32) (param $size i32) (param $end i32) (result i32)
    i32.const 0)
  (func (export "proxy_on_response_trailers") (param $context i32) (param $count i32) (result i32)
    i32.const 0)

  (func (export "proxy_on_done") (param $context i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_log") (param $context i32))
  (func (export "proxy_on_delete") (param $context i32)))
