
class Users extends gen.UserService {
  getUser(request: gen.GetUserRequest): gen.GetUserResponse | null {
    const out = new gen.GetUserResponse();
    const user = new gen.User();
    user.name = "Ann";
    user.id = request.id;
    out.user = user;
    return out;
  }
  putUser(request: gen.User): gen.GetUserResponse | null {
    return null;
  }
}

export function maps(): void {
  const client = new gen.UserServiceClient((path: string, request: Uint8Array): Uint8Array | null => new Users().dispatch(path, request));
  const request = new gen.GetUserRequest();
  request.which = gen.GetUserRequestCase.ID;
  request.id = 9;
  const found = client.getUser(request);
  assert(found !== null && found.user!.id == 9 && found.user!.name == "Ann");
  assert(client.putUser(new gen.User()) === null);
  assert(new Users().dispatch("/demo.v1.UserService/Nope", new Uint8Array(0)) === null);
  const broken = new Uint8Array(1);
  broken[0] = 0x0b;
  assert(new Users().dispatch("/demo.v1.UserService/GetUser", broken) === null);
  assert(weir.Errno.NOENT == 44);
}
