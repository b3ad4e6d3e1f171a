;; crash: breaks on a request for the path "/crash", and puts "x-alive: yes" on every other response.
(module
  (import "env" "proxy_get_header_map_value"
    (func $header (param $map i32) (param $name i32) (param $length i32) (param $to i32) (param $to_length i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param $map i32) (param $name i32) (param $length i32) (param $value i32) (param $value_length i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) ":path")
  (data (i32.const 0x10) "x-alive")
  (data (i32.const 0x20) "yes")
  (data (i32.const 0x30) "/crash")
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

  (func $must (param $status i32)
    (if (local.get $status) (then unreachable)))

  ;; Whether the six bytes at $path are those at 0x30.
  (func $is_crash (param $path i32) (result i32)
    (i32.and
      (i32.eq (i32.load (local.get $path)) (i32.load (i32.const 0x30)))
      (i32.eq (i32.load16_u offset=4 (local.get $path)) (i32.load16_u (i32.const 0x34)))))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $must (call $header
      (i32.const 0) (i32.const 0x00) (i32.const 5) (i32.const 0x40) (i32.const 0x44)))
    (if (i32.eq (i32.load (i32.const 0x44)) (i32.const 6))
      (then
        (if (call $is_crash (i32.load (i32.const 0x40))) (then unreachable))))
    i32.const 0)

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $must (call $add_header
      (i32.const 2) (i32.const 0x10) (i32.const 7) (i32.const 0x20) (i32.const 3)))
    i32.const 0))
