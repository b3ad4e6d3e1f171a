;; count-map: as count-shared, with the atomic `increment` of a shared map (WASI-Map) called "counts".
(module
  (import "wasi_map_v1" "open"
    (func $open (param $name i32) (param $length i32) (param $rights i64) (param $to_handle i32) (result i32)))
  (import "wasi_map_v1" "increment"
    (func $increment (param $map i32) (param $key i32) (param $length i32) (param $delta i64) (param $to_value i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $answer (param $status i32) (param $details i32) (param $details_length i32) (param $body i32) (param $body_length i32) (param $headers i32) (param $headers_length i32) (param $grpc i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) "counter")
  (data (i32.const 0x10) "counts")
  ;; 0x40: the handle. 0x50: the number; 0x60: as sixteen digits.
  ;; From 0x100: a value.
  (data (i32.const 0x80) "0123456789abcdef")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 0xff00)) (then unreachable))
    i32.const 0x100)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  ;; Rights 3: read and write.
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    (i32.eqz (call $open (i32.const 0x10) (i32.const 6) (i64.const 3) (i32.const 0x40))))
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  ;; As hexadecimal digits at 0x60.
  (func $print (param $number i64) (local $at i32)
    (local.set $at (i32.const 16))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (i32.add (i32.const 0x60) (local.get $at))
        (i32.load8_u (i32.add (i32.const 0x80) (i32.and (i32.wrap_i64 (local.get $number)) (i32.const 15)))))
      (local.set $number (i64.shr_u (local.get $number) (i64.const 4)))
      (br_if $next (local.get $at))))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $left i32)
    (local.set $left (i32.const 1000))
    (loop $next
      (if (call $increment (i32.load (i32.const 0x40)) (i32.const 0x00) (i32.const 7) (i64.const 1) (i32.const 0x50))
        (then unreachable))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $print (i64.load (i32.const 0x50)))
    (if (call $answer (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0x60) (i32.const 16)
          (i32.const 0) (i32.const 0) (i32.const -1)) (then unreachable))
    i32.const 1))
