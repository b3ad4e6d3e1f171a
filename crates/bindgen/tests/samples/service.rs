fn maps() {
    use gen_::users::*;
    use gen_::weir_map::DecodeError;

    struct Users;
    impl UserService for Users {
        type Error = DecodeError;
        fn get_user(&mut self, request: GetUserRequest) -> Result<GetUserResponse, DecodeError> {
            let GetUserRequest::Id(id) = request else { return Ok(Default::default()) };
            let user = User { name: "Ann".into(), id, ..Default::default() };
            Ok(GetUserResponse { user: Some(user), ..Default::default() })
        }
        fn put_user(&mut self, request: User) -> Result<GetUserResponse, DecodeError> {
            Ok(GetUserResponse { user: Some(request), ..Default::default() })
        }
    }
    let mut client = UserServiceClient(|path: &str, bytes: &[u8]| Users.dispatch(path, bytes).unwrap());
    let found = client.get_user(GetUserRequest::Id(9)).unwrap().user.unwrap();
    assert_eq!((found.name.as_str(), found.id), ("Ann", 9));
    assert!(Users.dispatch("/demo.v1.UserService/Nope", b"").is_none());
    assert!(Users.dispatch("/demo.v1.UserService/GetUser", b"\x0b").unwrap().is_err());
}
