;; headers: copies the request's :path into the request header x-original-path, and puts
;; "x-filtered: yes" on the response. Three host calls a request.
(module
  (import "env" "proxy_get_header_map_value"
    (func $header (param $map i32) (param $name i32) (param $length i32) (param $to i32) (param $to_length i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param $map i32) (param $name i32) (param $length i32) (param $value i32) (param $value_length i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) ":path")
  (data (i32.const 0x10) "x-original-path")
  (data (i32.const 0x20) "x-filtered")
  (data (i32.const 0x30) "yes")
  ;; 0x40, 0x44: where the host writes a pointer and a length. From 0x100: room for one value.

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 0xff00)) (then unreachable))
    i32.const 0x100)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  ;; A host that refuses a call must not look fast.
  (func $must (param $status i32)
    (if (local.get $status) (then unreachable)))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $must (call $header
      (i32.const 0) (i32.const 0x00) (i32.const 5) (i32.const 0x40) (i32.const 0x44)))
    (call $must (call $add_header
      (i32.const 0) (i32.const 0x10) (i32.const 15) (i32.load (i32.const 0x40)) (i32.load (i32.const 0x44))))
    i32.const 0)

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $must (call $add_header
      (i32.const 2) (i32.const 0x20) (i32.const 10) (i32.const 0x30) (i32.const 3)))
    i32.const 0))
